"""Does another template help? Paired verdicts between runs of one model, as an ablation's."""

from __future__ import annotations

from collections.abc import Sequence

from fmerl_platform.ledger.cells import read_cells
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.results import labelled_predictions
from fmerl_platform.llm_baselines.plan import SeedRun
from fmerl_platform.llm_baselines.request import BaselineRequest
from fmerl_platform.statistics import CellPredictions, Comparison, compare


def compare_templates(
    experiment: Experiment, request: BaselineRequest, finished: Sequence[SeedRun], resamples: int = 10_000
) -> dict[str, Comparison]:
    """Comparisons of models under other templates with the same model under the first, by name.

    Paired by seed and dialogue; p-values are adjusted over the templates of a model (Holm).

    Args:
        experiment: Holds the runs.
        request: Models, of which each names its control.
        finished: Runs to compare.
        resamples: Bootstrap resamples behind intervals and p-values.
    """
    if not any(model.control for model in request.models):
        return {}
    classes = request.corpus.classes
    predictions: dict[str, list[CellPredictions]] = {}
    for cell in sorted(read_cells(experiment, finished), key=lambda cell: cell.seed):
        predictions.setdefault(cell.variant, []).append(labelled_predictions(cell, classes))
    found: dict[str, Comparison] = {}
    for control in {model.control for model in request.models if model.control in predictions}:
        others = {
            model.name: predictions[model.name]
            for model in request.models
            if model.control == control and model.name in predictions
        }
        if others:
            found |= compare(predictions[control], others, len(classes), resamples=resamples)
    return found
