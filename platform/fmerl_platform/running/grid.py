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
_PASSES = 3
"""Most passes over cells that Ray Tune gave up with retries left: a worker that dies between two tasks of its trial
fails both, and to Tune 2.60 the second failure is one of a trial that does not run, which it does not repeat."""


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
    listener = _Listener(cells, progress)
    for _ in range(_PASSES):
        groups = listener.groups = group_cells(listener.waiting(), placement.at_once)
        if not groups:
            break
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
        tune.Tuner(
            tune.with_resources(trainable, placement.by_name if placement.workers == 1 else DRIVER),
            param_space={"group": tune.grid_search(list(range(len(groups))))},
            tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=placement.at_once),
            run_config=quiet_run(experiment.study, storage, _RETRIES, listener, listener),
        ).fit()
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


class _Listener(Listener, tune.Stopper):
    """Turns Tune's events into progress, knows which cells are not done, and ends all once results are lost."""

    def __init__(self, cells: Sequence[Cell], progress: RunEvents) -> None:
        super().__init__(progress)
        self._cells = cells
        self._errors: dict[str, str] = {}
        """Of every cell that has ended; empty: it is finished."""
        self.groups: list[tuple[Cell, ...]] = []
        """Of the current pass."""
        self.lost = ""
        """Why results cannot be written any more."""

    def failures(self) -> list[CellFailure]:
        ends = [(cell, self._errors.get(cell.fingerprint, "its worker died; run it again")) for cell in self._cells]
        return [CellFailure(cell=cell, error=error) for cell, error in ends if error]

    def waiting(self) -> list[Cell]:
        """Cells that have not ended, if there is a use in training them."""
        return [cell for cell in self._cells if cell.fingerprint not in self._errors and not self.lost]

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return bool(self.lost)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        group, index = self.groups[trial.config["group"]], result["fmerl_cell"]
        cell, error = group[index], result["fmerl_error"]
        self.lost = self.lost or result["fmerl_lost"]
        self._ended(trial.trial_id, cell, error)
        if index + 1 < len(group):
            self._progress.started(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = f"its worker failed {trial.num_failures} times; the same command tries again"
        for cell in self.groups[trial.config["group"]]:
            if cell.fingerprint not in self._errors and trial.num_failures > _RETRIES:
                self._ended(trial.trial_id, cell, error)

    def _ended(self, worker: str, cell: Cell, error: str) -> None:
        """Report each cell once: a repeated trial ends its finished cells again."""
        if cell.fingerprint not in self._errors:
            self._progress.ended(worker, cell.name, error)
        self._errors[cell.fingerprint] = error
