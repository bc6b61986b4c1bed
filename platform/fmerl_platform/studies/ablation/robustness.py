"""Scores under the conditions that a study asked for: what each variant loses, and how it stands to the control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.report.numbers import NONE, interval, p_value, percent, seeds, signed
from fmerl_platform.report.table import Column, Table
from fmerl_platform.statistics import SCORES, Comparison, CrossedMean, PairedEffect, PairedScores, judge

_RESAMPLES = 2000
"""Resampled test sets for each condition; the variance behind an interval is then known to about 3 %."""
_LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class ConditionRow:
    """A variant under a condition. Scores are in [0, 1]."""

    condition: str
    variant: str
    n_seeds: int
    weighted_f1: float
    """Mean over seeds."""
    loss: float
    """Weighted F1 under the condition minus that of the same cells without it."""
    loss_ci_low: float
    loss_ci_high: float
    comparison: Comparison | None
    """Comparison with the control under the same condition; None for the control."""


def condition_rows(results: CorpusCells) -> list[ConditionRow]:
    """A row per condition and variant; their comparisons with the control are corrected together."""
    variants = [results.control, *(name for name in results.variants if name != results.control)]
    losses: dict[tuple[str, str], tuple[CrossedMean, float, int]] = {}
    effects: dict[tuple[str, str], PairedEffect] = {}
    for condition in results.conditions:
        under = [results.predictions_of(name, condition) for name in variants]
        if not any(under):
            continue
        without = [results.predictions_of(name) for name in variants]
        paired = PairedScores([*under, *without], len(results.classes), SCORES, resamples=_RESAMPLES, seed=0)
        for group, (name, cells) in enumerate(zip(variants, under, strict=True)):
            if not cells:
                continue
            clean = paired.pairs(group, len(variants) + group)
            score = float(paired.observed["weighted_f1"][[column for column, _ in clean.values()]].mean())
            losses[condition, name] = paired.effect("weighted_f1", clean), score, len(cells)
            if group and under[0]:
                effects[condition, name] = PairedEffect.of(paired, group, 0)
    comparisons = judge(effects, alpha=_LEVEL) if effects else {}
    return [
        _row(condition, name, losses[condition, name], comparisons.get((condition, name)))
        for condition in results.conditions
        for name in variants
        if (condition, name) in losses
    ]


def condition_table(results: CorpusCells, rows: Sequence[ConditionRow]) -> Table | None:
    """The rows as a table, with what was not tested in its notes; None where the study asked for no condition."""
    if not results.conditions:
        return None
    shown = (
        Column("Condition", numeric=False),
        Column("System" if results.compares_systems else "Variant", numeric=False),
        Column("n"),
        Column("w-F1"),
        Column("Loss"),
        Column("95% interval"),
        Column("Δ"),
        Column("95% interval"),
        Column("Holm p"),
        Column("Verdict", numeric=False, verdict=True),
    )
    return Table(
        name=f"{results.corpus} conditions",
        caption=f"Under other conditions on {results.corpus}",
        columns=shown,
        rows=tuple(map(_cells, rows)),
        notes=(
            "Weighted F1 in percent, of the selected epoch's weights on corrupted test features, the same ones for "
            f"every cell. Loss: points against the same cells without corruption. Δ: points against {results.control} "
            "under the same condition, paired by seed; Holm p and verdict are corrected over all rows. A condition of "
            "a modality that a variant does not read changes nothing of it.",
            *_untested(results, rows),
        ),
    )


def _row(
    condition: str, variant: str, tested: tuple[CrossedMean, float, int], comparison: Comparison | None
) -> ConditionRow:
    loss, score, n_seeds = tested
    low, high = loss.interval(_LEVEL)
    return ConditionRow(
        condition=condition,
        variant=variant,
        n_seeds=n_seeds,
        weighted_f1=score,
        loss=loss.mean,
        loss_ci_low=low,
        loss_ci_high=high,
        comparison=comparison,
    )


def _cells(row: ConditionRow) -> tuple[str, ...]:
    own = (
        row.condition,
        row.variant,
        str(row.n_seeds),
        percent(row.weighted_f1),
        signed(100 * row.loss),
        interval(row.loss_ci_low, row.loss_ci_high),
    )
    compared = row.comparison
    if compared is None or not compared.n_pairs:
        return (*own, NONE, NONE, NONE, NONE)
    low, high = compared.ci_low, compared.ci_high
    return (*own, signed(100 * compared.delta), interval(low, high), p_value(compared.p_value_holm), compared.verdict)


def _untested(results: CorpusCells, rows: Sequence[ConditionRow]) -> list[str]:
    """A sentence per condition that some finished cells were not tested under."""
    tested = {(row.condition, row.variant): row.n_seeds for row in rows}
    lines = []
    for condition in results.conditions:
        lacking = [
            f"{variant} ({seeds(number)})"
            for variant in results.variants
            if (number := len(results.of_variant(variant)) - tested.get((condition, variant), 0))
        ]
        if lacking:
            lines.append(
                f"Not tested under {condition}: {', '.join(lacking)}. They were finished before it was asked for, "
                "and kept no model."
            )
    return lines
