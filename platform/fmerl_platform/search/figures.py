"""Optuna's plots of a search, in the report's style."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna
from optuna.importance import get_param_importances
from optuna.visualization import matplotlib as plots

from fmerl_platform.report.canvas import WIDTH, ReportFigure, style

FEWEST = 4
"""Trials that ran to their end, below which nothing is drawn."""
_MOST_IMPORTANT = 3
"""Fields shown against each other in the contour plot."""


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of the objective's variance that each field explains (fANOVA, Hutter et al. 2014), largest first."""
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return get_param_importances(study, evaluator=evaluator)


def search_figures(study: optuna.Study, importance: Mapping[str, float]) -> list[ReportFigure]:
    """History, importance, slices, contours of the most important fields, parallel coordinates."""
    fields, leading = list(importance), list(importance)[:_MOST_IMPORTANT]
    leader = fields[0]
    return [
        _figure(
            "history",
            "Optimisation history",
            "Objective of each trial in the order of their numbers, and the best so far. Trials stopped early stand at "
            "what they had reached.",
            lambda: plots.plot_optimization_history(study, target_name="objective"),
        ),
        _figure(
            "importance",
            "Importance of each field",
            f"Share of the objective's variance that each field explains (fANOVA); {leader} comes first. With few "
            "trials these shares are rough.",
            lambda: plots.plot_param_importances(
                study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0), target_name="objective"
            ),
            height=0.4,
        ),
        _figure(
            "slice",
            "Slices",
            "Objective against each field; darker points are later trials.",
            lambda: plots.plot_slice(study, params=fields, target_name="objective"),
            width=1.9,
            height=0.3,
        ),
        _figure(
            "contour",
            "Contours",
            f"Objective over pairs of {', '.join(leading)}, interpolated between trials (points).",
            lambda: plots.plot_contour(study, params=leading, target_name="objective"),
            width=1.5,
            height=1.0,
        ),
        _figure(
            "parallel",
            "Parallel coordinates",
            "One line per trial through its values; darker lines have a higher objective.",
            lambda: plots.plot_parallel_coordinate(study, params=fields, target_name="objective"),
            width=1.6,
            height=0.45,
        ),
    ]


def _figure(
    name: str, title: str, caption: str, draw: Callable[[], Any], width: float = 1.0, height: float = 0.6
) -> ReportFigure:
    """Optuna draws through pyplot and in its own style; the figure is taken out of its hands at once."""
    with style(), warnings.catch_warnings(), mpl.rc_context({"backend": "agg"}):
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        figure = np.ravel(draw())[0].figure
        figure.set_size_inches(WIDTH * width, WIDTH * height)
        mpl.pyplot.close(figure)
    for item in figure.axes:
        item.set_title("")
    figure.suptitle("")
    return ReportFigure(name=name, title=title, caption=caption, alt=f"{title}. {caption}", figure=figure)
