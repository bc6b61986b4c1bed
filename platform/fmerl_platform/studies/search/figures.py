"""Optuna's plots of a search, in the report's style."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial
from optuna.visualization import matplotlib as plots

from fmerl_platform.report.figure import WIDTH, ReportFigure, style

FEWEST = 4
"""Fewest trials that ran to their end for plots to be drawn."""
_MOST_IMPORTANT = 3
"""Fields shown against each other in the contour plot."""
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
"""Formatter of powers of ten as plain numbers: the report's style shows no mathematics."""


def full_length(trials: Sequence[FrozenTrial], objectives: int = 1) -> optuna.Study:
    """A study in memory of the trials that ran to their end, by their number of objectives.

    Objectives say something about the fields' values only when all trials ran equally long.
    """
    study = optuna.create_study(directions=["maximize"] * objectives)
    study.add_trials(list(trials))
    return study


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of the objective's variance that each field explains (fANOVA, Hutter et al. 2014), largest first.

    Empty with few trials, where all have one value, which leaves no variance to explain, and for several objectives.
    """
    several = len(study.directions) > 1
    if several or len(study.trials) < FEWEST or len({trial.value for trial in study.trials}) < 2:
        return {}
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))


def front_figure(full: optuna.Study, objectives: Sequence[str]) -> ReportFigure:
    """Scatter plot of two objectives, the Pareto front marked.

    Args:
        full: The study of `full_length`.
        objectives: Names of its objectives.
    """
    return _figure(
        "front",
        "Pareto front",
        f"{' and '.join(objectives)} of {len(full.trials)} trials, in [0, 1]. Than a best one no other is better in "
        "one objective and not worse in the other.",
        lambda: plots.plot_pareto_front(full, target_names=list(objectives)),
    )


def search_figures(study: optuna.Study, full: optuna.Study, importance: Mapping[str, float]) -> list[ReportFigure]:
    """History, importance, slices, contours of the most important fields, parallel lines; none without importance.

    Args:
        study: All trials; only the history shows those that were stopped early.
        full: The study of `full_length`.
        importance: The `importances` of `full`.
    """
    if not importance:
        return []
    fields, leading = list(importance), list(importance)[:_MOST_IMPORTANT]
    whole = f"the {len(full.trials)} trials that ran to their end"
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
            f"Share of the objective's variance over {whole} that each field explains (fANOVA); {short(fields[0])} "
            "comes first. With few trials these shares are rough.",
            lambda: plots.plot_param_importances(
                full, evaluator=FanovaImportanceEvaluator(seed=0), target_name="objective"
            ),
            height=0.4,
        ),
        _figure(
            "slice",
            "Slices",
            f"Objective against each field, of {whole}; darker points are later trials.",
            lambda: _slices(full, fields),
            width=1.6,
            height=0.4,
        ),
        _figure(
            "contour",
            "Contours",
            f"Objective over pairs of {', '.join(map(short, leading))}, interpolated between {whole} (points).",
            lambda: _contours(full, leading),
            width=1.3,
            height=1.0,
        ),
        _figure(
            "parallel",
            "Parallel coordinates",
            f"One line through the values of each of {whole}; darker lines have a higher objective.",
            lambda: _parallel(full, fields),
            width=1.3,
            height=0.55,
        ),
    ]


def short(path: str) -> str:
    """A field without its section."""
    return path.rpartition(".")[2]


def _slices(study: optuna.Study, fields: Sequence[str]) -> Any:
    """Slice plots; their colour bar counts the trials that are shown, not all."""
    panels = np.asarray(plots.plot_slice(study, params=list(fields), target_name="objective")).ravel()
    panels[0].figure.axes[-1].set_ylabel("order")
    for axes in panels:
        axes.xaxis.label.set_size("small")
    return panels


def _contours(study: optuna.Study, fields: Sequence[str]) -> Any:
    panels = np.asarray(plots.plot_contour(study, params=list(fields), target_name="objective")).ravel()
    for axes in panels:
        axes.label_outer()
    return panels


def _parallel(study: optuna.Study, fields: Sequence[str]) -> Any:
    """Parallel coordinates with the fields' full names, which Optuna cuts off."""
    first = plots.plot_parallel_coordinate(study, params=list(fields), target_name="objective")
    names = ["objective", *map(short, sorted(fields))]
    first.set_xticks(first.get_xticks(), names, rotation=20, ha="right")
    return first


def _figure(
    name: str, title: str, caption: str, draw: Callable[[], Any], width: float = 1.0, height: float = 0.6
) -> ReportFigure:
    """Figure from one of Optuna's plots, in the report's style and taken out of pyplot at once."""
    with style(), warnings.catch_warnings(), mpl.rc_context({"backend": "agg"}):
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        figure = np.ravel(draw())[0].figure
        figure.set_size_inches(WIDTH * width, WIDTH * height)
        _tidy(figure)
        mpl.pyplot.close(figure)
    return ReportFigure(name=name, title=title, caption=caption, alt=f"{title}. {caption}", figure=figure)


def _tidy(figure: Figure) -> None:
    figure.suptitle("")
    for axes in figure.axes:
        axes.set_title("")
        axes.set_facecolor("white")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_label_text(short(axis.get_label_text()))
            if axis.get_scale() == "log":
                axis.set_major_formatter(_PLAIN)
                axis.set_minor_formatter(NullFormatter())
