"""Plots say what the rows say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from fmerl.config import DIMENSIONS
from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.report.figure import ReportFigure
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, analyse
from fmerl_platform.studies.ablation.figures import corpus_figures

MakeResults = Callable[..., CorpusCells]
FIGURES = ["effects", "validation-curves", "loss-curves", "confusion", "ellipses", "dimensions", "anchors"]


@pytest.fixture(scope="module")
def figures(analysis: CorpusAnalysis) -> dict[str, ReportFigure]:
    return {figure.name: figure for figure in corpus_figures(analysis)}


def texts(figure: Figure) -> str:
    return "\n".join(artist.get_text() for artist in figure.findobj(Text) if isinstance(artist, Text))


def changed(analysis: CorpusAnalysis, change: Callable[[CellRecord], CellRecord]) -> CorpusAnalysis:
    return replace(analysis, results=replace(analysis.results, cells=tuple(map(change, analysis.results.cells))))


def test_all_are_there_and_drawn(figures: dict[str, ReportFigure]) -> None:
    assert list(figures) == FIGURES
    for figure in figures.values():
        assert figure.png.startswith(b"\x89PNG")
        assert figure.svg.startswith("<svg")
        assert figure.title
        assert figure.caption
        assert figure.alt
        assert all(axes.has_data() for axes in figure.figure.axes)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("effects", ["Δ test weighted F1 against FMERL (points)", "w/o Valence", "hurts", "the paper's Δ"]),
        ("validation-curves", ["epoch", "validation w-F1 (%)", "w/o Triple-loss"]),
        ("loss-curves", ["epoch", "training loss", "w/o Triple-loss"]),
        ("confusion", ["predicted class", "gold class (utterances)", "anger & disgust"]),
        ("ellipses", ["after the first epoch", "at the selected epoch", "valence", "dominance", "anger & disgust"]),
        ("anchors", ["FMERL and 3 more", "w/o Descriptions", "0.91", "joy"]),
        ("dimensions", ["gold class", "predicted score (label scale)", "valence", "arousal", "dominance"]),
    ],
)
def test_axes_are_labelled(figures: dict[str, ReportFigure], name: str, labels: list[str]) -> None:
    shown = texts(figures[name].figure)
    assert all(label in shown for label in labels)


def test_the_forest_plot_holds_every_seed_and_interval(
    figures: dict[str, ReportFigure], analysis: CorpusAnalysis
) -> None:
    drawn = [np.asarray(line.get_xdata()).tolist() for line in figures["effects"].figure.axes[0].lines]
    for row, comparison in analysis.compared:
        assert [100 * delta for delta in row.seed_deltas] in drawn
        assert [100 * comparison.ci_low, 100 * comparison.ci_high] in drawn
        assert [row.published_delta] in drawn


def test_rows_of_the_confusion_matrix_sum_to_100(figures: dict[str, ReportFigure], analysis: CorpusAnalysis) -> None:
    early, selected = figures["confusion"].figure.axes
    share = [np.asarray(axes.collections[0].get_array()).reshape(3, 3) for axes in (early, selected)]
    assert np.array(share).sum(axis=2) == pytest.approx(np.full((2, 3), 100))
    assert share[1].diagonal() == pytest.approx([70, 70, 70], abs=10)
    assert share[0].diagonal() == pytest.approx([33, 33, 33], abs=10), "the first epoch's cells guess"
    utterances = sum(int(label.get_text().split("(")[1].rstrip(")")) for label in early.get_yticklabels())
    assert utterances == analysis.results.of_variant("FMERL")[0].labelled_test().num_rows


def test_ellipses_are_the_classes_gaussians(figures: dict[str, ReportFigure], analysis: CorpusAnalysis) -> None:
    axes = figures["ellipses"].figure.axes[3]
    rows = pa.concat_tables([cell.labelled_test() for cell in analysis.results.of_variant("FMERL")])
    joy = rows.filter(pa.compute.field("gold") == "joy")
    points = np.array([joy["valence"].to_numpy(), joy["arousal"].to_numpy()])
    mean, ellipse = axes.lines[2], np.array(axes.lines[3].get_data())
    assert np.array(mean.get_data()).ravel() == pytest.approx(points.mean(axis=1))
    centred = ellipse - points.mean(axis=1, keepdims=True)
    distance = np.einsum("ip,ij,jp->p", centred, np.linalg.inv(np.cov(points)), centred)
    assert distance == pytest.approx(np.ones_like(distance)), "one standard deviation in every direction"


def test_bands_reach_from_the_lowest_to_the_highest_seed(
    figures: dict[str, ReportFigure], analysis: CorpusAnalysis
) -> None:
    last = [100 * cell.history["validation_weighted_f1"][-1] for cell in analysis.results.of_variant("FMERL")]
    band = np.asarray(figures["validation-curves"].figure.axes[0].collections[0].get_paths()[0].vertices)
    at_last_epoch = band[band[:, 0] == 12, 1]
    assert (at_last_epoch.min(), at_last_epoch.max()) == pytest.approx((min(last), max(last)))


def test_what_has_no_data_is_left_out(analysis: CorpusAnalysis) -> None:
    def bare(cell: CellRecord) -> CellRecord:
        nothing = pa.nulls(len(cell.predictions), pa.float32())
        columns = [nothing if name in DIMENSIONS else cell.predictions[name] for name in cell.predictions.column_names]
        predictions = pa.table(columns, names=cell.predictions.column_names)
        return replace(cell, history={}, predictions=predictions, conditions=cell.conditions.slice(0, 0))

    without = changed(analysis, bare)
    without = replace(without, results=replace(without.results, anchors=()))
    assert [figure.name for figure in corpus_figures(without)] == ["effects", "confusion"]


def test_seeds_of_different_length_keep_their_epochs(analysis: CorpusAnalysis) -> None:
    def shorten(cell: CellRecord) -> CellRecord:
        kept = 5 if cell.seed == 0 else 12
        return replace(cell, history={name: values[:kept] for name, values in cell.history.items()})

    curves = {figure.name: figure for figure in corpus_figures(changed(analysis, shorten))}["validation-curves"]
    assert all(np.size(line.get_xdata()) == 12 for line in curves.figure.axes[0].lines)


def test_a_control_alone_still_has_its_plots(make_results: MakeResults) -> None:
    alone = analyse(make_results(variants=("FMERL",), seeds=2), resamples=50)
    names = [figure.name for figure in corpus_figures(alone)]
    assert names == FIGURES[1:]
