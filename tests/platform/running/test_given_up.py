"""Cells whose trial Ray Tune gives up: with retries left they are trained again, without they have failed."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Timer
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fmerl.config import CellConfig
from fmerl.errors import LostError
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.running import grid
from fmerl_platform.running.options import Resources
from fmerl_platform.running.placement import Placement
from fmerl_platform.running.session import ray_session
from fmerl_platform.running.worker import CellFiles, TrainAndLog
from fmerl_platform.study.cells import Cell, CellFailure, CorpusInputs

RETRIES = 3


def cell_of(seed: int) -> Cell:
    return Cell(corpus="c", variant="FMERL", seed=seed, config=CellConfig(), fingerprint=f"f{seed}")


class Told:
    """What progress was told of runs that ended: the seed and the error."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str]] = []

    def started(self, worker: str) -> None: ...

    def ended(self, worker: str, name: str, error: str) -> None:
        self.ends.append((name.split()[-1], error))


def run_grid(cells: Sequence[Cell], folder: Path, told: Told, train: TrainAndLog) -> list[CellFailure]:
    """Run cells that need no inputs."""
    return grid.run_grid(
        cells,
        {"c": cast(CorpusInputs, None)},
        Experiment(uri="", experiment_id="", study="given up"),
        {("c", "FMERL"): ""},
        resources=Resources(),
        files=CellFiles(folder=folder, weights=False, every_seconds=30),
        storage=folder,
        progress=told,
        train=train,
    )


Outcome = Callable[[int, Cell], str | int]
"""Of a cell in a pass: its error (empty: it is finished), or how often its worker has died when Tune gives it up."""


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs a grid with a Tune that does to each cell, one a trial, what `outcome` says, without Ray."""
    passes: list[list[int]] = []
    placement = Placement(cpus=1.0, gpus=0.0, gibibytes=0.0, workers=1, nodes=(), at_once=1)

    def run(cells: Sequence[Cell], outcome: Outcome, lost: str = "") -> tuple[list[CellFailure], Told]:
        class Tuner:
            def __init__(self, groups: Sequence[Sequence[Cell]], *, run_config: Any, **settings: Any) -> None:
                self._groups, (self._listener,) = groups, run_config.callbacks

            def fit(self) -> None:
                number = len(passes)
                passes.append([cell.seed for group in self._groups for cell in group])
                for index, (cell,) in enumerate(self._groups):
                    trial = SimpleNamespace(trial_id=f"{number}-{index}", config={"group": index}, num_failures=0)
                    end = outcome(number, cell)
                    self._listener.on_trial_start(0, [], trial)
                    if isinstance(end, int):
                        trial.num_failures = end
                        self._listener.on_trial_error(0, [], trial)
                    else:
                        result = {"fmerl_cell": 0, "fmerl_error": end, "fmerl_lost": lost}
                        self._listener.on_trial_result(0, [], trial, result)

        monkeypatch.setattr(grid.tune, "with_parameters", lambda trainable, *, groups, **rest: groups)
        monkeypatch.setattr(grid.tune, "with_resources", lambda groups, resources: groups)
        monkeypatch.setattr(grid.tune, "Tuner", Tuner)
        monkeypatch.setattr(grid, "place_cells", lambda *arguments: placement)
        monkeypatch.setattr(grid, "nodes_of_cluster", tuple)
        told = Told()
        return run_grid(cells, tmp_path, told, grid.train_and_log), told

    run.passes = passes  # type: ignore[attr-defined]
    return run


CELLS = [cell_of(0), cell_of(1), cell_of(2)]


def test_a_trial_given_up_with_retries_left_is_run_again(trained: Any) -> None:
    failures, told = trained(CELLS, lambda number, cell: 2 if (number, cell.seed) == (0, 1) else "")
    assert not failures
    assert trained.passes == [[0, 1, 2], [1]]
    assert told.ends == [("0", ""), ("2", ""), ("1", "")]


def test_a_trial_without_retries_left_has_failed(trained: Any) -> None:
    failures, told = trained(CELLS, lambda number, cell: RETRIES + 1 if cell.seed == 1 else "")
    assert trained.passes == [[0, 1, 2]]
    error = "its worker failed 4 times; the same command tries again"
    assert [(each.cell.seed, each.error) for each in failures] == [(1, error)]
    assert told.ends == [("0", ""), ("1", error), ("2", "")]


def test_an_error_of_the_cell_itself_is_not_repeated(trained: Any) -> None:
    failures, _ = trained(CELLS, lambda number, cell: "it diverged" if cell.seed == 1 else "")
    assert trained.passes == [[0, 1, 2]]
    assert [(each.cell.seed, each.error) for each in failures] == [(1, "it diverged")]


def test_a_cell_that_is_always_given_up_ends_the_grid_all_the_same(trained: Any) -> None:
    failures, _ = trained(CELLS, lambda number, cell: RETRIES if cell.seed == 1 else "")
    assert trained.passes == [[0, 1, 2], [1], [1]]
    assert [(each.cell.seed, each.error) for each in failures] == [(1, "its worker died; run it again")]


def test_nothing_is_run_again_once_results_are_lost(trained: Any) -> None:
    with pytest.raises(LostError, match="the disk is full"):
        trained(CELLS, lambda number, cell: 2 if cell.seed == 1 else "", lost="the disk is full")
    assert trained.passes == [[0, 1, 2]]


@pytest.mark.slow
def test_workers_that_die_between_two_trials_cost_no_cell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half the workers die some milliseconds after their trial, when another begins on them; with one pass some cells
    fail."""
    placement = Placement(cpus=1.0, gpus=0.0, gibibytes=0.0, workers=1, nodes=(), at_once=2)
    monkeypatch.setattr(grid, "place_cells", lambda *arguments: placement)
    cells = list(map(cell_of, range(40)))

    def finish_and_die(cell: Cell, *arguments: object, device: object) -> str:
        if len(list(tmp_path.glob("seed-*"))) < len(cells) / 2:  # so that all deaths are in the first pass
            Timer(random.random() * 0.03, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        (tmp_path / f"seed-{cell.seed}").touch()
        return ""

    told = Told()
    with ray_session(0, dashboard=False):
        assert not run_grid(cells, tmp_path, told, cast(TrainAndLog, finish_and_die))
    assert sorted(told.ends) == sorted((str(cell.seed), "") for cell in cells)
