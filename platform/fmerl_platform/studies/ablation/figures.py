"""Plots of one corpus's results, each with alternative text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fmerl_platform.ledger.results import CellRecord
from fmerl_platform.report.figure import BLUE, GREEN, INK, VERMILLION, WIDTH, ReportFigure, style
from fmerl_platform.report.numbers import interval, signed
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.studies.ablation.prediction_figures import anchors, confusion, dimensions, ellipses
from fmerl_platform.studies.ablation.ranks import ranks
from fmerl_platform.studies.ablation.wording import finding

_VERDICT_COLORS = {"helps": GREEN, "hurts": VERMILLION, "inconclusive": BLUE, "equivalent": BLUE}


def corpus_figures(analysis: CorpusAnalysis) -> list[ReportFigure]:
    """All plots that the corpus's cells have data for, most important first."""
    builders: tuple[Callable[[CorpusAnalysis], ReportFigure | None], ...] = (
        effects,
        _validation_curves,
        _loss_curves,
        confusion,
        ellipses,
        dimensions,
        anchors,
        ranks,
    )
    with style():
        return [figure for builder in builders if (figure := builder(analysis)) is not None]


def effects(analysis: CorpusAnalysis) -> ReportFigure | None:
    """Forest plot: each variant's Δ weighted F1 with its interval, its seeds, and the paper's Δ where it has one."""
    compared = analysis.compared
    if not compared:
        return None
    figure = Figure(figsize=(WIDTH, 0.8 + 0.55 * len(compared)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=INK, linewidth=1)
    if analysis.margin is not None:
        axes.axvspan(-100 * analysis.margin, 100 * analysis.margin, color=INK, alpha=0.08, linewidth=0)
    for y, (row, comparison) in enumerate(compared):
        color = _VERDICT_COLORS[comparison.verdict]
        low, delta, high = (100 * value for value in (comparison.ci_low, comparison.delta, comparison.ci_high))
        fill = "white" if comparison.verdict == "inconclusive" else color
        axes.plot([low, high], [y, y], color=color, linewidth=2.2, solid_capstyle="butt")
        axes.plot(delta, y, "s", color=color, markerfacecolor=fill, markersize=8)
        dots = [100 * value for value in row.seed_deltas]
        axes.plot(dots, [y + 0.27] * len(dots), "o", color=color, alpha=0.7, markersize=4, markeredgewidth=0)
        if row.published_delta is not None:
            axes.plot(row.published_delta, y - 0.27, "D", color=INK, markerfacecolor="none", markersize=5)
        text = f"{signed(delta)} {interval(comparison.ci_low, comparison.ci_high)}\n{comparison.verdict}"
        axes.annotate(text, (1.02, y), xycoords=("axes fraction", "data"), va="center")
    axes.plot([], [], "s-", color=INK, label="mean, 95% interval")
    axes.plot([], [], "o", color=INK, markersize=4, label="single seeds")
    if any(row.published_delta is not None for row, _ in compared):
        axes.plot([], [], "D", color=INK, markerfacecolor="none", markersize=5, label="the paper's Δ")
    figure.legend(loc="outside upper right", ncols=3)
    axes.set_yticks(range(len(compared)), [row.variant for row, _ in compared])
    axes.set_ylim(len(compared) - 0.4, -0.6)
    axes.set_xlabel(f"Δ test weighted F1 against {analysis.results.control} (points)")
    axes.grid(visible=False, axis="y")
    return ReportFigure(
        "effects",
        "Effect of each variant",
        "Squares are filled where the verdict is decided; left of zero the variant scores below the control.",
        f"Forest plot of Δ weighted F1 by variant. {finding(analysis)}",
        figure,
    )


def _validation_curves(analysis: CorpusAnalysis) -> ReportFigure | None:
    return _curves(
        analysis,
        metric="validation_weighted_f1",
        scale=100,
        label="validation w-F1 (%)",
        name="validation-curves",
        title="Validation weighted F1 by epoch",
    )


def _loss_curves(analysis: CorpusAnalysis) -> ReportFigure | None:
    return _curves(
        analysis,
        metric="train_loss",
        scale=1,
        label="training loss",
        name="loss-curves",
        title="Training loss by epoch",
        remark=" A variant without a term of the loss is lower by construction: compare shapes, not heights.",
    )


def _curves(
    analysis: CorpusAnalysis, *, metric: str, scale: float, label: str, name: str, title: str, remark: str = ""
) -> ReportFigure | None:
    """Panels of the control against each variant."""
    results = analysis.results
    histories = {variant: _by_epoch(results.of_variant(variant), metric) * scale for variant in results.variants}
    histories = {variant: values for variant, values in histories.items() if values.size}
    panels = [variant for variant in histories if variant != results.control] or list(histories)
    if not panels:
        return None
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(WIDTH, 0.9 + 1.8 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, variant in zip(grid, panels, strict=False):
        axes.set_title(variant)
        if results.control in histories:
            _band(axes, histories[results.control], INK, "--", results.control)
        if variant != results.control:
            _band(axes, histories[variant], BLUE, "-", "variant")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    for axes in grid[len(panels) :]:
        axes.remove()
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    figure.supxlabel("epoch", fontsize="medium")
    figure.supylabel(label, fontsize="medium")
    last = [f"{variant} {np.nanmean(values[:, -1]):.2f}" for variant, values in histories.items()]
    return ReportFigure(
        name,
        title,
        f"Blue: the variant; dashed: {results.control}; means over seeds. Bands: lowest to highest seed.{remark}",
        f"Line plots of {label}, one panel per variant. Means at the last epoch: {', '.join(last)}.",
        figure,
    )


def _band(axes: Axes, values: NDArray[np.float64], color: str, line: str, label: str) -> None:
    epochs = np.arange(1, values.shape[1] + 1)
    axes.fill_between(epochs, np.nanmin(values, 0), np.nanmax(values, 0), color=color, alpha=0.18, linewidth=0)
    marker = "." if len(epochs) == 1 else ""
    axes.plot(epochs, np.nanmean(values, 0), color=color, linestyle=line, linewidth=1.5, marker=marker, label=label)


def _by_epoch(cells: Sequence[CellRecord], metric: str) -> NDArray[np.float64]:
    """Values [seeds, epochs], NaN after a seed's last epoch; empty when no cell has the metric."""
    histories = [cell.history[metric] for cell in cells if metric in cell.history]
    return np.array(list(zip_longest(*histories, fillvalue=np.nan)), dtype=float).T
