"""The ablation from start to end: inputs -> cells -> Ray Tune -> MLflow -> statistics -> report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fmerl.supervision.anchors import mean_cosine
from fmerl_platform.ledger.cells import mark_failed, unfinished
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import command_line, provenance
from fmerl_platform.ledger.runs import StudyRuns, open_runs
from fmerl_platform.report.table import to_terminal
from fmerl_platform.running.grid import Failure, run_grid
from fmerl_platform.running.lock import exclusive
from fmerl_platform.running.placement import Resources, nodes_to_expect, placement_table
from fmerl_platform.running.progress import RunProgress
from fmerl_platform.running.session import ray_session
from fmerl_platform.running.worker import Keeping
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.studies.publish import publish_study
from fmerl_platform.studies.zero_shot.wording import supervised_warning
from fmerl_platform.study.cells import Cell, CorpusInputs, Variant, plan_cells
from fmerl_platform.study.inputs import InputOptions, load_inputs
from fmerl_platform.study.record import record_study


@dataclass(frozen=True, kw_only=True)
class AblationRequest:
    """One ablation as the user asked for it."""

    corpora: tuple[str, ...]
    variants: tuple[Variant, ...]
    """Control first."""
    seeds: tuple[int, ...]
    study: str
    storage: Path
    inputs: InputOptions
    resources: Resources = field(default_factory=Resources)
    keep_weights: bool = False
    checkpoint_seconds: float = 30.0
    """Least time between two saved states of an unfinished cell."""
    dry_run: bool = False
    more_variants: Callable[[CorpusInputs], Sequence[Variant]] = lambda inputs: ()
    """Further ones of one corpus, which what is in it decides."""
    llm_study: str | None = None
    """Study whose language models stand beside the cells of a zero-shot one."""


@dataclass(frozen=True, kw_only=True)
class AblationOutcome:
    """What an ablation found."""

    complete: bool
    """Whether every cell is finished."""
    inputs: tuple[CorpusInputs, ...]
    analyses: tuple[CorpusAnalysis, ...]
    """By corpus, in the order of `inputs`; none of a dry run."""


def run_ablation(request: AblationRequest, console: Console, results: Console) -> AblationOutcome:
    """Train what is not trained yet and report on everything the study asks for.

    Args:
        request: What to run.
        console: For progress and messages.
        results: For the table and where the report lies.

    Raises:
        InputError, StudyError: Before anything is trained.
    """
    inputs = load_inputs(request.corpora, request.variants, request.inputs)
    cells = plan_cells(inputs, request.variants, request.seeds, request.more_variants)
    _describe(inputs, console)
    if request.dry_run:
        results.print(_plan_table(cells, inputs, request.study))
        workers = max(cell.config.training.workers for cell in cells)
        results.print(placement_table(nodes_to_expect(), request.resources, len(cells), workers))
        return AblationOutcome(complete=True, inputs=tuple(inputs), analyses=())
    request.storage.mkdir(parents=True, exist_ok=True)
    # Two drivers would train each other's cells.
    lock = request.storage / f".{request.study}.lock"
    with exclusive(lock, "this study is running already", "wait for it, or name another --study"):
        experiment = Experiment.in_storage(request.storage, request.study)
        if request.llm_study is not None:
            experiment.sibling(request.llm_study)
        record = record_study(
            request.study,
            request.corpora,
            request.inputs,
            inputs,
            cells,
            command=command_line(),
            provenance=provenance(),
            llm_study=request.llm_study,
        )
        runs = open_runs(experiment, record)
        waiting = unfinished(experiment, cells)
        if len(waiting) < len(cells):
            console.print(f"{len(cells) - len(waiting)} of {len(cells)} cells are finished already")
        failures = _train(waiting, len(cells) - len(waiting), inputs, experiment, runs, request, console)
        mark_failed(experiment, failures)
        published = publish_study(experiment, record, runs, request.storage / "reports" / request.study)
        runs.close(experiment, complete=not failures)
    for table in published.tables:
        results.print(to_terminal(table))
    for failure in failures:
        results.print(f"failed: {failure.cell.name}: {failure.error}", style="red")
    results.print(f"report   {published.paths.html}", soft_wrap=True)
    results.print(f"compare  mlflow ui --backend-store-uri {experiment.uri}", soft_wrap=True)
    return AblationOutcome(complete=not failures, inputs=tuple(inputs), analyses=published.analyses)


def _train(
    cells: list[Cell],
    done: int,
    inputs: Sequence[CorpusInputs],
    experiment: Experiment,
    runs: StudyRuns,
    request: AblationRequest,
    console: Console,
) -> list[Failure]:
    if not cells:
        return []
    shared = sum(values.nbytes for item in inputs for values in item.data.features.values())
    dashboard = any(cell.config.training.workers > 1 for cell in cells)
    with RunProgress(console, "cells", len(cells), done) as progress, ray_session(shared, dashboard=dashboard):
        return run_grid(
            cells,
            {item.data.corpus: item for item in inputs},
            experiment,
            runs.variants,
            resources=request.resources,
            keeping=Keeping(
                folder=(request.storage / "checkpoints").resolve(),
                weights=request.keep_weights,
                every_seconds=request.checkpoint_seconds,
            ),
            storage=request.storage,
            progress=progress,
        )


def _describe(inputs: Sequence[CorpusInputs], console: Console) -> None:
    for item in inputs:
        data, config = item.data, item.control
        cosine = mean_cosine(item.anchors[config.anchors])
        console.print(
            f"{data.corpus}: {len(data.label)} utterances in {len(data.split)} dialogues, {len(data.classes)} classes; "
            f"{'+'.join(config.backbone.modalities)}; mean cosine of anchors {cosine:.3f}",
            highlight=False,
            soft_wrap=True,
        )
        unseen = config.training.unseen_classes
        if unseen:
            console.print(
                f"{data.corpus}: held out: {', '.join(unseen)}; their utterances: {config.training.unseen_utterances}",
                highlight=False,
                soft_wrap=True,
            )
        if unseen and item.supervised:
            warning = supervised_warning(data.corpus, item.supervised, unseen)
            console.print(warning, style="bold yellow", highlight=False, soft_wrap=True)


def _plan_table(cells: Sequence[Cell], inputs: Sequence[CorpusInputs], study: str) -> Table:
    table = Table(title=f"{len(cells)} cells of study {study}")
    for heading in ("corpus", "variant", "seeds", "epochs", "changes of the control"):
        table.add_column(heading, overflow="fold")
    controls = {item.data.corpus: item.control.flatten() for item in inputs}
    by_variant: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        by_variant[cell.corpus, cell.variant].append(cell)
    for (corpus, variant), group in by_variant.items():
        seeds, epochs = " ".join(str(cell.seed) for cell in group), str(group[0].config.training.epochs)
        own, control = group[0].config.flatten(), controls[corpus]
        changes = ", ".join(path for path in own if own[path] != control[path])
        table.add_row(corpus, variant, seeds, epochs, changes)
    return table
