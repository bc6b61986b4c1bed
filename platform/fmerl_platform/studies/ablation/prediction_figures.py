"""Plots of the control's predictions, after its first epoch and at the selected one, and of its anchors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmerl.config import DIMENSIONS
from fmerl.training.cell import FIRST_EPOCH
from fmerl_platform.report.figure import BLUE, GREEN, INK, VERMILLION, WIDTH, ReportFigure
from fmerl_platform.report.numbers import percent, seeds
from fmerl_platform.statistics import CellPredictions, confusion_by_dialogue
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.study.record import AnchorCosines

_CLASS_COLORS = (INK, BLUE, VERMILLION, GREEN, "#e69f00", "#cc79a7", "#8c8c8c")
_CLASS_MARKERS = "os^DvPX"
_EPOCHS: dict[str, str | None] = {"after the first epoch": FIRST_EPOCH, "at the selected epoch": None}
"""Condition of the predictions by panel title."""


def confusion(analysis: CorpusAnalysis) -> ReportFigure | None:
    """Confusion matrices of the control (the paper's Figure 5)."""
    results = analysis.results
    panels = {title: results.predictions_of(results.control, condition) for title, condition in _EPOCHS.items()}
    shares = {title: _share(cells, len(results.classes)) for title, cells in panels.items() if cells}
    if not shares:
        return None
    classes, cells = results.classes, panels["at the selected epoch"]
    side = 1.2 + 0.42 * len(classes)
    figure = Figure(figsize=(0.9 + side * len(shares), side + 0.3), layout="constrained")
    grid = figure.subplots(1, len(shares), sharey=True, squeeze=False)[0]
    for axes, (title, share) in zip(grid, shares.items(), strict=True):
        axes.set_title(title)
        _matrix(axes, 100 * share, classes, "{:.0f}", highest=100)
        axes.set_xlabel("predicted class")
    counts = np.bincount(cells[0].gold, minlength=len(classes))
    grid[0].set_yticks(
        np.arange(len(classes)) + 0.5, [f"{name} ({n})" for name, n in zip(classes, counts, strict=True)]
    )
    grid[0].set_ylabel("gold class (utterances)")
    share = shares["at the selected epoch"]
    errors = np.nan_to_num(share) * (1 - np.eye(len(classes)))
    gold, taken_for = np.unravel_index(errors.argmax(), errors.shape)
    recall = [f"{name} {percent(value)}" for name, value in zip(classes, share.diagonal(), strict=True)]
    return ReportFigure(
        "confusion",
        f"What {results.control} takes each class for",
        f"Test predictions pooled over {seeds(len(cells))}, in percent of each gold class.",
        f"Confusion matrices. Recall in percent at the selected epoch: {', '.join(recall)}. Most frequent error: "
        f"{classes[gold]} taken for {classes[taken_for]}, {percent(errors.max())}% of its utterances.",
        figure,
    )


def ellipses(analysis: CorpusAnalysis) -> ReportFigure | None:
    """Each class's predicted scores as a Gaussian, in every plane of two dimensions (the paper's Figure 4)."""
    results = analysis.results
    rows = {title: _scores(analysis, condition) for title, condition in _EPOCHS.items()}
    rows = {title: table for title, table in rows.items() if len(table)}
    planes = list(combinations(_predicted(rows.get("at the selected epoch")), 2))
    if not planes:
        return None
    figure = Figure(figsize=(WIDTH, 0.9 + 2.5 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(planes), sharex="col", sharey="col", squeeze=False)
    spread = []
    for line, (title, table) in zip(grid, rows.items(), strict=True):
        for axes, plane in zip(line, planes, strict=True):
            for number, name in enumerate(results.classes):
                scores = table.filter(pc.field("gold") == name).select(plane)
                _gaussian(axes, np.array([scores[axis].to_numpy() for axis in plane]), number, name)
            axes.set_xlabel(plane[0])
            axes.set_ylabel(plane[1])
        line[0].set_title(title, loc="left")
        means = [_mean(table, name, planes[0][0]) for name in results.classes]
        spread.append(f"{title} from {np.nanmin(means):.2f} to {np.nanmax(means):.2f}")
    figure.legend(
        *grid[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=min(7, len(results.classes))
    )
    return ReportFigure(
        "ellipses",
        f"Where {results.control} puts each class",
        "Predicted scores of the test set (label scale), all seeds. Marks: class means; ellipses: one standard "
        "deviation of the Gaussian fitted to the class.",
        f"Scatter of class means with Gaussian ellipses. Class means of {planes[0][0]}: {'; '.join(spread)}.",
        figure,
    )


def dimensions(analysis: CorpusAnalysis) -> ReportFigure | None:
    """The control's predicted valence, arousal and dominance by gold class."""
    results = analysis.results
    rows = _scores(analysis, None)
    present = _predicted(rows)
    if not present:
        return None
    figure = Figure(figsize=(WIDTH, 1.1 + 0.3 * len(results.classes)), layout="constrained")
    grid = figure.subplots(1, len(present), sharey=True, squeeze=False)[0]
    medians = []
    for axes, dimension in zip(grid, present, strict=True):
        for y, name in enumerate(results.classes):
            scores = rows.filter(pc.field("gold") == name)[dimension].drop_null().to_numpy()
            if not len(scores):
                continue
            p5, p25, p50, p75, p95 = np.percentile(scores, (5, 25, 50, 75, 95))
            axes.plot([p5, p95], [y, y], color=BLUE, linewidth=1)
            axes.plot([p25, p75], [y, y], color=BLUE, linewidth=6, solid_capstyle="butt")
            axes.plot(p50, y, "o", color=BLUE, markerfacecolor="white", markersize=5)
            medians.append(f"{dimension} of {name} {p50:.2f}")
        axes.set_title(dimension)
        axes.grid(visible=False, axis="y")
    grid[0].set_yticks(range(len(results.classes)), results.classes)
    grid[0].set_ylim(len(results.classes) - 0.5, -0.5)
    grid[0].set_ylabel("gold class")
    figure.supxlabel("predicted score (label scale)", fontsize="medium")
    return ReportFigure(
        "dimensions",
        f"Dimensions that {results.control} predicts for each class",
        f"Test predictions pooled over {seeds(len(results.of_variant(results.control)))}. Circle: median; thick bar: "
        "middle half; thin: middle 90%.",
        f"Interval plots of predicted {', '.join(present)} by gold class. Medians: {', '.join(medians)}.",
        figure,
    )


def anchors(analysis: CorpusAnalysis) -> ReportFigure | None:
    """Cosines of the classes' descriptions under the frozen text encoder."""
    classes, sets = analysis.results.classes, analysis.results.anchors
    if not sets:
        return None
    side = 1.2 + 0.46 * len(classes)
    figure = Figure(figsize=(0.9 + side * len(sets), side + 0.3), layout="constrained")
    grid = figure.subplots(1, len(sets), sharey=True, squeeze=False)[0]
    for axes, item in zip(grid, sets, strict=True):
        axes.set_title(_users(item))
        _matrix(axes, np.array(item.cosines), classes, "{:.2f}", highest=1)
    grid[0].set_yticks(np.arange(len(classes)) + 0.5, classes)
    means = [f"{_users(item)} {_off_diagonal_mean(item):.3f}" for item in sets]
    return ReportFigure(
        "anchors",
        "Cosines of the anchors",
        "Between the encoded descriptions, before any centring. Near 1 the encoder hardly tells the classes apart.",
        f"Cosine matrices of the anchors. Mean cosine of two classes: {', '.join(means)}.",
        figure,
    )


def _share(cells: Sequence[CellPredictions], n_classes: int) -> NDArray[np.float64]:
    """Predicted classes as shares of each gold class, over all cells, [C, C]; NaN for a class that never occurs."""
    counts = confusion_by_dialogue(cells, n_classes).sum(axis=(0, 1))[:n_classes]
    totals = counts.sum(axis=1, keepdims=True)
    return (counts / np.where(totals, totals, np.nan))[:, :n_classes]


def _matrix(axes: Axes, values: NDArray[np.float64], classes: Sequence[str], form: str, *, highest: float) -> None:
    axes.pcolormesh(values, cmap="Blues", vmin=0, vmax=highest, edgecolor="white", linewidth=0.5)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "white" if value > 0.55 * highest else "black"
            text = form.format(value)
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=color, fontsize="small")
    axes.set_xticks(np.arange(len(classes)) + 0.5, classes, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_ylim(len(classes), 0)
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(visible=False)


def _gaussian(axes: Axes, scores: NDArray[np.float64], number: int, name: str) -> None:
    """Mean and one-deviation ellipse of points [2, U]; the mean alone of fewer than three."""
    color, marker = _CLASS_COLORS[number % len(_CLASS_COLORS)], _CLASS_MARKERS[number % len(_CLASS_MARKERS)]
    if not scores.size:
        return
    mean = scores.mean(axis=1)
    axes.plot(*mean, marker, color=color, markersize=5, label=name)
    if scores.shape[1] > 2:
        values, vectors = np.linalg.eigh(np.cov(scores))
        turn = np.linspace(0, 2 * np.pi, 60)
        circle = np.array([np.cos(turn), np.sin(turn)])
        axes.plot(*(mean[:, None] + vectors @ (np.sqrt(values.clip(0))[:, None] * circle)), color=color, linewidth=1.2)


def _scores(analysis: CorpusAnalysis, condition: str | None) -> pa.Table:
    """The control's labelled test rows, all seeds: gold class and predicted dimensions."""
    cells = analysis.results.of_variant(analysis.results.control)
    columns = ["gold", *DIMENSIONS]
    empty = pa.table({name: pa.array([], pa.string() if name == "gold" else pa.float32()) for name in columns})
    tables = [cell.labelled_test(condition).select(columns) for cell in cells]
    return pa.concat_tables(tables, promote_options="permissive") if tables else empty


def _predicted(rows: pa.Table | None) -> list[str]:
    """Dimensions that have a regression net."""
    return [name for name in DIMENSIONS if rows is not None and rows[name].null_count < len(rows)]


def _mean(rows: pa.Table, name: str, dimension: str) -> float:
    mean = pc.mean(rows.filter(pc.field("gold") == name)[dimension]).as_py()
    return np.nan if mean is None else float(mean)


def _users(item: AnchorCosines) -> str:
    others = len(item.variants) - 1
    return f"{item.variants[0]} and {others} more" if others else item.variants[0]


def _off_diagonal_mean(item: AnchorCosines) -> float:
    values = np.array(item.cosines)
    return float(values[~np.eye(len(values), dtype=bool)].mean())
