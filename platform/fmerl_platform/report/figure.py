"""Style and rendering of figures.

Colours are Okabe & Ito's, told apart with any colour vision; colour never is the only sign. Figures are built
without pyplot, so they hold no global state.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

from matplotlib import rc_context
from matplotlib.figure import Figure

INK, BLUE, VERMILLION, GREEN = "#333333", "#0072b2", "#d55e00", "#009e73"
"""Colours of figures; ink is for text, axes and the control."""
PALETTE = {"ink": INK, "blue": BLUE, "vermillion": VERMILLION, "green": GREEN}
"""Colours by name, for a page that swaps them for its own shades."""
WIDTH = 7.2
"""Width of a figure, in inches."""


def style() -> AbstractContextManager[None]:
    """Style of the report, for building and rendering figures inside."""
    return rc_context(
        {
            "font.family": "sans-serif",
            "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.alpha": 0.25,
            "grid.color": INK,
            **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
            "text.parse_math": False,  # names are text, dollars and all
            "legend.frameon": False,
            "savefig.bbox": "tight",
            "svg.fonttype": "none",  # text stays text: small files that can be searched
            "svg.hashsalt": "fmerl",  # same figure, same file
        }
    )


@dataclass(frozen=True)
class ReportFigure:
    """A figure with caption and alternative text."""

    name: str
    """Name, distinct within a corpus."""
    title: str
    caption: str
    """Reading guide."""
    alt: str
    """Alternative text for those who cannot see it."""
    figure: Figure

    @cached_property
    def svg(self) -> str:
        """One `<svg>` element on a transparent ground."""
        stream = io.StringIO()
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        with style():
            self.figure.savefig(stream, format="svg", transparent=True, metadata=no_metadata)
        text = stream.getvalue()
        return text[text.index("<svg") :]

    @cached_property
    def png(self) -> bytes:
        """PNG on white, 200 dots per inch."""
        stream = io.BytesIO()
        with style():
            self.figure.savefig(stream, format="png", dpi=200, facecolor="white")
        return stream.getvalue()
