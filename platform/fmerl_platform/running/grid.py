"""Runs cells on Ray Tune: warm workers, data shared by reference, every finished cell safe in MLflow at once.

One trial trains one group of cells, one after the other. A cell is known by its fingerprint,
not by its trial's id, and a trial that is repeated after a crash skips what its group has finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ray import tune

from fmerl.errors import LostError
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.running.ddp import DRIVER, train_on_workers
from fmerl_platform.running.nodes import given_device, nodes_of_cluster
from fmerl_platform.running.options import Resources
from fmerl_platform.running.placement import Placement, place_cells
from fmerl_platform.running.progress import RunEvents
from fmerl_platform.running.tuning import Listener, quiet_run
from fmerl_platform.running.worker import CellFiles, TrainAndLog, train_and_log
from fmerl_platform.study.cells import Cell, CellFailure, CorpusInputs

_GROUPS_PER_SLOT = 32
"""Groups per slot: enough that no worker idles long at the end; starting a trial on a warm worker takes about .1 s."""
_LONGEST_GROUP = 16
_RETRIES = 3
"""Retries of a group whose worker died; errors of the cell itself are not repeated."""


def group_cells(cells: Sequence[Cell], slots: int) -> list[tuple[Cell, ...]]:
    """Group neighbouring cells, as many to a group as keeps the slots evenly loaded."""
    size = min(_LONGEST_GROUP, max(1, len(cells) // (_GROUPS_PER_SLOT * slots)))
    return [tuple(cells[start : start + size]) for start in range(0, len(cells), size)]


def run_grid(
    cells: Sequence[Cell],
    corpora: Mapping[str, CorpusInputs],
    experiment: Experiment,
    parents: Mapping[tuple[str, str], str],
    *,
    resources: Resources,
    files: CellFiles,
    storage: Path,
    progress: RunEvents,
    train: TrainAndLog = train_and_log,
) -> list[CellFailure]:
    """Train cells on the connected Ray cluster.

    Args:
        cells: Unfinished cells.
        corpora: Inputs by corpus.
        experiment: Experiment that cells are logged to.
        parents: Run id of each (corpus, variant).
        resources: Resources of each cell, as asked for.
        files: Folder of weights and of the state of unfinished cells.
        storage: Tune's and Train's own files go to `tune/` and `train/` below it.
        progress: Shows every cell that starts or ends.
        train: Trains and logs a cell on a worker.

    Returns:
        The cells that failed; all others are finished in MLflow.

    Raises:
        LostError: Results cannot be written any more.
    """
    placement = place_cells(cells, corpora, resources, nodes_of_cluster())
    groups = group_cells(cells, placement.at_once)
    trainable = tune.with_parameters(
        _train_group,
        groups=groups,
        corpora=dict(corpora),
        experiment=experiment,
        parents=dict(parents),
        files=files,
        placement=placement,
        storage=storage,
        train=train,
    )
    listener = _Listener(groups, progress)
    tuner = tune.Tuner(
        tune.with_resources(trainable, placement.by_name if placement.workers == 1 else DRIVER),
        param_space={"group": tune.grid_search(list(range(len(groups))))},
        tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=placement.at_once),
        run_config=quiet_run(experiment.study, storage, _RETRIES, listener, _Lost(listener)),
    )
    tuner.fit()
    if listener.lost:
        raise LostError(listener.lost)
    return listener.failures()


def _train_group(
    config: dict[str, Any],
    *,
    groups: Sequence[Sequence[Cell]],
    corpora: Mapping[str, CorpusInputs],
    experiment: Experiment,
    parents: Mapping[tuple[str, str], str],
    files: CellFiles,
    placement: Placement,
    storage: Path,
    train: TrainAndLog,
) -> None:
    for index, cell in enumerate(groups[config["group"]]):
        own = cell, corpora[cell.corpus], experiment, parents[cell.corpus, cell.variant], files
        alone = cell.config.training.workers == 1
        lost = ""
        try:
            error = (
                train(*own, device=given_device()) if alone else train_on_workers(*own, placement, storage / "train")
            )
        except LostError as fault:
            error = lost = str(fault)
        tune.report({"fmerl_cell": index, "fmerl_error": error, "fmerl_lost": lost})


class _Listener(Listener):
    """Turns Tune's events into progress, and remembers which cells are not done."""

    def __init__(self, groups: Sequence[Sequence[Cell]], progress: RunEvents) -> None:
        super().__init__(progress)
        self._groups = groups
        self._open = {cell.fingerprint: CellFailure(cell=cell, error="never ran") for group in groups for cell in group}
        self._told: set[str] = set()
        self.lost = ""
        """Why results cannot be written any more."""

    def failures(self) -> list[CellFailure]:
        return list(self._open.values())

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        group = self._groups[trial.config["group"]]
        index, error = result["fmerl_cell"], result["fmerl_error"]
        cell = group[index]
        self.lost = self.lost or result["fmerl_lost"]
        if not error:
            self._open.pop(cell.fingerprint, None)
        self._ended(trial.trial_id, cell, error)
        if index + 1 < len(group):
            self._progress.started(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        for cell in self._groups[trial.config["group"]]:
            if cell.fingerprint in self._open:
                error = f"its worker failed {trial.num_failures} times; the same command tries again"
                self._ended(trial.trial_id, cell, error)

    def _ended(self, worker: str, cell: Cell, error: str) -> None:
        """Report each cell once: a repeated trial ends its finished cells again."""
        if error:
            self._open[cell.fingerprint] = CellFailure(cell=cell, error=error)
        if cell.fingerprint not in self._told:
            self._told.add(cell.fingerprint)
            self._progress.ended(worker, cell.name, error)


class _Lost(tune.Stopper):
    """Ends all trials once results cannot be written any more."""

    def __init__(self, listener: _Listener) -> None:
        self._listener = listener

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return bool(self._listener.lost)
