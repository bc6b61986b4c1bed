"""Plot of a file's calibration."""

from __future__ import annotations

import statistics as moments

from matplotlib.figure import Figure

from fmerl_platform.report.figure import BLUE, INK, WIDTH, ReportFigure
from fmerl_platform.report.numbers import percent
from fmerl_platform.scoring.systems import SystemScores


def calibration(name: str, found: SystemScores) -> ReportFigure:
    """Accuracy by claimed probability (a reliability diagram)."""
    figure = Figure(figsize=(0.6 * WIDTH, 0.5 * WIDTH), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 100], [0, 100], color=INK, linewidth=1)
    most = max(each.n for each in found.bins)
    for each in found.bins:
        size = 3 + 9 * (each.n / most) ** 0.5
        axes.plot(100 * each.confidence, 100 * each.accuracy, "o", color=BLUE, markersize=size, alpha=0.8)
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="probability of the predicted class (%)", ylabel="right (%)")
    error = percent(moments.fmean(found.calibration_error))
    return ReportFigure(
        "calibration",
        f"Calibration of {name}",
        "Probabilities that mean what they say lie on the line; below it they are over-sure. Larger circles hold more "
        "predictions.",
        f"Reliability diagram. Expected calibration error {error} percent.",
        figure,
    )
