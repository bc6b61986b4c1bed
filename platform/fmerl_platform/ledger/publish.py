"""A study in MLflow's UI: aggregates, notes, and the view that compares its variants."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.runs import StudyRuns
from fmerl_platform.ledger.schema import Tag

PLANNED_VARIANTS = "tags.fmerl.level = 'variant' and tags.fmerl.planned = 'true'"
"""Filter of the runs of the variants that the study's last command planned."""


@dataclass(frozen=True, kw_only=True)
class RunView:
    """View in which MLflow's UI compares variants: columns, and the one that sorts the rows, largest first."""

    columns: tuple[str, ...]
    order: str


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """Summary of finished cells, on the run of their variant."""

    corpus: str
    variant: str
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    note: str
    """Description of the run, in Markdown."""
    cells: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Further metrics of single cells, by run id."""
    warning: str = ""
    """Kept as a tag; empty when there is none."""


def publish(
    experiment: Experiment, runs: StudyRuns, summaries: Iterable[RunSummary], note: str, warning: str, view: RunView
) -> None:
    """Write a study's summaries and notes to its runs.

    Args:
        experiment: The study's.
        runs: The study's runs.
        summaries: Summaries of its variants' runs.
        note: Description of the study, in Markdown.
        warning: Kept as a tag of the study; empty when there is none.
        view: View in which the UI compares the variants.
    """
    for summary in summaries:
        run_id = runs.variants[summary.corpus, summary.variant]
        known = experiment.client().get_run(run_id).data.metrics
        # MLflow deletes no metric: one that the summary no longer has becomes NaN.
        gone = {
            name: math.nan for name, value in known.items() if name not in summary.metrics and not math.isnan(value)
        }
        # Without steps the UI draws bars of the variants, side by side, and no lines of one point.
        experiment.log_once(run_id, {**gone, **summary.metrics}, step=0)
        experiment.tag(run_id, {**summary.tags, Tag.NOTE: summary.note})
        _warn(experiment, run_id, summary.warning)
        for cell, metrics in summary.cells.items():
            experiment.log_once(cell, metrics, step=0)
    experiment.tag(runs.study, {Tag.NOTE: note})
    _warn(experiment, runs.study, warning)
    client = experiment.client()
    for name, value in {Tag.NOTE: note, **_shared_view(runs.study, view)}.items():
        client.set_experiment_tag(experiment.experiment_id, name, value)


def _warn(experiment: Experiment, run_id: str, warning: str) -> None:
    """Tag a run with a warning; one that no longer holds is taken off."""
    if warning:
        experiment.tag(run_id, {Tag.WARNING: warning})
    else:
        experiment.untag(experiment.client().get_run(run_id), Tag.WARNING)


def _shared_view(study_run: str, view: RunView) -> dict[str, str]:
    """Experiment tags of `?viewStateShareKey=variants`, as the UI itself writes them when a user shares a view."""
    state = {
        "searchFilter": PLANNED_VARIANTS,
        "orderByKey": view.order,
        "orderByAsc": False,
        "selectedColumns": view.columns,
        "runsExpanded": {study_run: True},
        "runListHidden": False,
    }
    return {"mlflow.experimentKind": "custom_model_development", "mlflow.sharedViewState.variants": json.dumps(state)}
