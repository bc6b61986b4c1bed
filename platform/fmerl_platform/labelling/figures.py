"""Plots to judge a label set by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fmerl_platform.labelling.quality import Pairs
from fmerl_platform.report.figure import BLUE, INK, VERMILLION, WIDTH, ReportFigure, style

_BINS = 10


def histograms(scores: Mapping[str, NDArray[np.float64]], scale: tuple[float, float]) -> ReportFigure:
    """Number of times each score was given, by dimension."""
    with style():
        figure = Figure(figsize=(WIDTH, 2.4), layout="constrained")
        panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
        for axes, (dimension, values) in zip(panels, scores.items(), strict=True):
            axes.hist(values, bins=np.linspace(*scale, 26), color=BLUE)
            axes.set_xlim(*scale)
            axes.set_title(dimension)
        panels[0].set_ylabel("utterances")
    told = ", ".join(
        f"{dimension} mean {values.mean():.2f}, sd {values.std(ddof=1):.2f}"
        for dimension, values in scores.items()
        if len(values) > 1
    )
    return ReportFigure(
        "histograms",
        "Scores given",
        "A model that answers few values, or one for nearly all, tells little apart.",
        f"Histograms of scores by dimension: {told}.",
        figure,
    )


def calibration(pairs: Mapping[str, Pairs], scale: tuple[float, float]) -> ReportFigure:
    """Mean human score of utterances that the model scores alike, in tenths of the utterances."""
    with style():
        figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
        panels = figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
        for axes, (dimension, pair) in zip(panels, pairs.items(), strict=True):
            axes.plot(scale, scale, color=INK, linewidth=1)
            axes.plot(pair.second, pair.first, ".", color=BLUE, alpha=0.2, markersize=3, rasterized=True)
            for part in np.array_split(np.argsort(pair.second, kind="stable"), min(_BINS, len(pair.second))):
                axes.plot(pair.second[part].mean(), pair.first[part].mean(), "o", color=VERMILLION, markersize=5)
            axes.set_title(dimension)
            axes.set_xlabel("model")
        panels[0].set_ylabel("human")
    return ReportFigure(
        "calibration",
        "Human score by the model's score",
        "Each circle is a tenth of the utterances; labels that mean what they say lie on the line.",
        f"Calibration plots of {', '.join(pairs)} against human scores.",
        figure,
    )
