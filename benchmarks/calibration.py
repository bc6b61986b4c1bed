"""Measure what the verdicts are worth: false alarms, coverage and power in simulated studies of known truth.

Prints Markdown tables and, where asked, draws the first two. Each scenario is a study of a control and six variants: no
variant has an effect, one has, or all six lie at the edge of the margin within which they are tested for equivalence.
`docs/statistics.md` shows 1,000 studies of each.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats
from simulated_studies import Calibration, StudyModel, calibrate, calibrate_on_predictions, true_effect

from fmerl_platform.ledger.cells import read_cells
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.results import labelled_predictions
from fmerl_platform.ledger.runs import read_study
from fmerl_platform.report.figure import BLUE, INK, VERMILLION, WIDTH, style

PARTS = ("verdicts", "equivalence")

MELD = StudyModel()
IEMOCAP = StudyModel(n_dialogues=31, mean_utterances=52, class_counts=(144, 245, 384, 170, 299, 381))
DIFFERING = replace(MELD, dialogue_sd=0.3)
FIVE_FOLDS = replace(IEMOCAP, n_dialogues=151, n_folds=5)

WITHOUT_EFFECT: dict[str, StudyModel] = {
    "MELD, 5 seeds": MELD,
    "unstable training": replace(MELD, seed_sd=0.15),
    "no seed effect": replace(MELD, seed_sd=0.0),
    "variants differ by dialogue, .3": DIFFERING,
    "variants differ by dialogue, .8": replace(MELD, dialogue_sd=0.8),
    "variants differ by dialogue, 1.5": replace(MELD, dialogue_sd=1.5),
    "IEMOCAP, 5 seeds": IEMOCAP,
    "MELD, 10 seeds": replace(MELD, n_seeds=10),
    "MELD, 3 seeds": replace(MELD, n_seeds=3),
    "MELD, 2 seeds": replace(MELD, n_seeds=2),
    "2 seeds, differ by dialogue, .3": replace(DIFFERING, n_seeds=2),
    "IEMOCAP in 5 folds": FIVE_FOLDS,
    "5 folds, variants differ by fold, .05": replace(FIVE_FOLDS, fold_sd=0.05),
    "5 folds, variants differ by fold, .1": replace(FIVE_FOLDS, fold_sd=0.1),
    "5 folds, variants differ by fold, .4": replace(FIVE_FOLDS, fold_sd=0.4),
    "10 folds, variants differ by fold, .2": replace(FIVE_FOLDS, n_folds=10, fold_sd=0.2),
}
WITH_EFFECT: dict[str, StudyModel] = {
    f"{name}, effect {effect}": replace(model, effects=(effect, 0, 0, 0, 0, 0))
    for name, model, effects in (
        ("MELD", MELD, (0.15, 0.2, 0.3)),
        ("differ by dialogue", DIFFERING, (0.15, 0.3)),
        ("IEMOCAP", IEMOCAP, (0.25, 0.4)),
    )
    for effect in effects
}
AT_THE_EDGE: dict[str, tuple[StudyModel, float]] = {
    "MELD, 5 seeds": (MELD, 0.15),
    "MELD, 5 seeds, wide": (MELD, 0.3),
    "MELD, below the control": (MELD, -0.3),
    "unstable training": (replace(MELD, seed_sd=0.15), 0.3),
    "variants differ by dialogue, .8": (replace(MELD, dialogue_sd=0.8), 0.3),
    "IEMOCAP, 5 seeds": (IEMOCAP, 0.4),
    "MELD, 10 seeds": (replace(MELD, n_seeds=10), 0.3),
    "MELD, 3 seeds": (replace(MELD, n_seeds=3), 0.3),
    "MELD, 2 seeds": (replace(MELD, n_seeds=2), 0.3),
}
"""Model, and the effect of all six variants, whose size is the margin."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=25, help="of each scenario (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="scenarios at once (default: %(default)s)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="tables to make (default: all)")
    parser.add_argument("--study", help="also deal the cells of this finished study into studies without effect")
    parser.add_argument("--storage", type=Path, default=Path("runs"), metavar="DIR", help="of --study (default ./runs)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the table here (.png or .svg)")
    arguments = parser.parse_args()

    start = time.perf_counter()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        results: dict[str, Calibration] = {}
        if "verdicts" in arguments.parts:
            scenarios = {**WITHOUT_EFFECT, **WITH_EFFECT}
            measured = pool.map(calibrate, [arguments.studies] * len(scenarios), scenarios.values())
            results = dict(zip(scenarios, measured, strict=True))
            print(markdown(results))
        if "equivalence" in arguments.parts:
            for line in equivalence(pool, arguments.studies):
                print(line, flush=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    if arguments.study:
        print("\n" + dealt_study(arguments.storage, arguments.study, arguments.studies))
    print(f"\n{arguments.studies} studies per scenario; {time.perf_counter() - start:.0f} s on {machine}")
    if arguments.plot and results:
        draw(results).savefig(arguments.plot, dpi=110, facecolor="white")


def markdown(results: dict[str, Calibration]) -> str:
    """Both tables."""
    lines = ["| no effect | family-wise error [95%] | coverage |", "|---|---|---|"]
    for name in WITHOUT_EFFECT:
        low, high = results[name].family_wise_error_interval
        lines.append(f"| {name} | {_error(results[name]):.3f} [{low:.3f}, {high:.3f}] | {results[name].coverage:.3f} |")
    lines += ["", "| one effect | Δ w-F1 (points) | power promised | found [95%] | coverage |", "|---|---|---|---|---|"]
    for name in WITH_EFFECT:
        found = results[name].variants["variant 1"]
        low, high = _interval(found.helps, results[name].n_studies)
        lines.append(
            f"| {name} | {100 * found.effect.mean:+.2f} | {found.promised_power:.3f} "
            f"| {found.helps:.3f} [{low:.3f}, {high:.3f}] | {found.coverage:.3f} |"
        )
    return "\n".join(lines)


def equivalence(pool: ProcessPoolExecutor, n_studies: int) -> Iterator[str]:
    """Lines of the table of the tests of equivalence: variants at the margin's edge, and variants without an effect."""
    yield "| equivalence | margin (points) | false at the edge [95%] | found without an effect |"
    yield "|---|---|---|---|"
    margins = [abs(true_effect(model, effect)) for model, effect in AT_THE_EDGE.values()]
    both = [each for model, effect in AT_THE_EDGE.values() for each in (replace(model, effects=(effect,) * 6), model)]
    results = pool.map(partial(_at_margin, n_studies), both, [margin for margin in margins for _ in range(2)])
    for name, margin in zip(AT_THE_EDGE, margins, strict=True):
        at_edge, without = next(results), next(results)
        low, high = _interval(at_edge.false_equivalences / n_studies, n_studies)
        share = fmean(variant.equivalent for variant in without.variants.values())
        rate = f"{at_edge.false_equivalences / n_studies:.3f} [{low:.3f}, {high:.3f}]"
        yield f"| {name} | ±{100 * margin:.2f} | {rate} | {share:.3f} |"


def _at_margin(n_studies: int, model: StudyModel, margin: float) -> Calibration:
    return calibrate(n_studies, model, margin=margin)


def dealt_study(storage: Path, study: str, n_studies: int) -> str:
    """Rows of the upper table: for each corpus of a finished study, its cells dealt at random."""
    experiment = Experiment.existing(storage, study)
    record = read_study(experiment)[0]
    lines = []
    for corpus in record.corpora:
        cells = read_cells(experiment, corpus.cells)
        predictions = [labelled_predictions(cell, corpus.classes) for cell in cells]
        result = calibrate_on_predictions(n_studies, predictions, len(corpus.classes))
        low, high = result.family_wise_error_interval
        row = f"{_error(result):.3f} [{low:.3f}, {high:.3f}] | {result.coverage:.3f} |"
        lines.append(f"| {len(cells)} cells of {study} on {corpus.corpus} | {row}")
    return "\n".join(lines)


def draw(results: dict[str, Calibration]) -> Figure:
    """Family-wise error, coverage and power, each with its 95% binomial interval and what it should be."""
    with style():
        figure = Figure(figsize=(1.5 * WIDTH, 4.2), layout="constrained")
        errors, coverage, power = figure.subplots(1, 3)
        null = {name: results[name] for name in WITHOUT_EFFECT}
        _rows(errors, list(null), [(_error(result), result.n_studies) for result in null.values()], INK)
        errors.axvline(0.05, color=VERMILLION, linestyle="--", linewidth=1)
        errors.set(xlim=(0, 0.12), xlabel="family-wise error\n(dashed: the level, .05)")
        _rows(coverage, [], [(result.coverage, result.n_studies) for result in null.values()], INK)
        coverage.axvline(0.95, color=VERMILLION, linestyle="--", linewidth=1)
        coverage.set(xlim=(0.9, 1), xlabel="share of 95% intervals\nthat hold the true effect")
        for name in WITH_EFFECT:
            found = results[name].variants["variant 1"]
            low, high = _interval(found.helps, results[name].n_studies)
            power.plot([found.promised_power] * 2, [low, high], color=BLUE, linewidth=1.5)
            power.plot(found.promised_power, found.helps, "o", color=BLUE, markersize=5)
        power.plot([0, 1], [0, 1], color=VERMILLION, linestyle="--", linewidth=1)
        power.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="power promised by the plan", ylabel="effects found")
    return figure


def _rows(axes: Axes, names: Sequence[str], shares: Sequence[tuple[float, int]], color: str) -> None:
    for y, (share, n_studies) in enumerate(shares):
        axes.plot(_interval(share, n_studies), [y, y], color=color, linewidth=1.5)
        axes.plot(share, y, "o", color=color, markersize=5)
    axes.set_yticks(range(len(shares)), names or [""] * len(shares))
    axes.set_ylim(len(shares) - 0.5, -0.5)


def _error(result: Calibration) -> float:
    return result.family_wise_errors / result.n_studies


def _interval(share: float, n_studies: int) -> tuple[float, float]:
    """Exact 95% binomial interval; of coverage it is too wide, since a study's six intervals are pooled."""
    interval = stats.binomtest(round(share * n_studies), n_studies).proportion_ci()
    return interval.low, interval.high


if __name__ == "__main__":
    main()
