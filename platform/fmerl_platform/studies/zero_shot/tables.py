"""Table 2 of one corpus and the two that explain it, as `report.table.Table`."""

from __future__ import annotations

import math

from fmerl_platform.report.numbers import NONE, interval, mean_sd, p_value, percent, signed
from fmerl_platform.report.table import Column, Table, columns
from fmerl_platform.statistics import Estimate
from fmerl_platform.studies.paper_results import PublishedZeroShot
from fmerl_platform.studies.zero_shot.analysis import ZeroShotAnalysis, ZeroShotRow
from fmerl_platform.studies.zero_shot.scores import UNSEEN_ACCURACY
from fmerl_platform.studies.zero_shot.wording import (
    FEWEST_DIALOGUES,
    bias_notes,
    comparison_notes,
    spread,
    zero_shot_notes,
)

_MILLION = 1e6


def zero_shot_tables(analysis: ZeroShotAnalysis) -> tuple[Table, ...]:
    """Table 2, the bias towards seen classes and, where there is something to compare, the differences."""
    compared = [_comparison_table(analysis)] if any(row.against for row in analysis.rows) else []
    return (_main_table(analysis), _bias_table(analysis), *compared)


def _main_table(analysis: ZeroShotAnalysis) -> Table:
    shown = (
        Column("System", numeric=False),
        Column("n"),
        Column("Unseen accuracy"),
        Column("95% interval"),
        Column("Unseen w-F1"),
        Column("One-vs-rest F1"),
        Column("Accuracy"),
        Column("w-F1"),
        Column("w-F1 95% interval", detail=True),
        Column("M parameters"),
    )
    cells = [_cells(row) for row in analysis.rows]
    cells += [_published_cells(name, score) for name, score in analysis.published.items()]
    corpus = analysis.results.corpus
    return Table(
        name=f"{corpus} zero-shot",
        caption=f"Zero-shot recognition of {' and '.join(analysis.unseen)} on {corpus}",
        columns=shown,
        rows=tuple(tuple(row.get(column.header, NONE) for column in shown) for row in cells),
        notes=zero_shot_notes(analysis),
    )


def _bias_table(analysis: ZeroShotAnalysis) -> Table:
    rows = []
    for row in analysis.rows:
        names = ("seen_accuracy", UNSEEN_ACCURACY, "harmonic_mean", "unseen_as_seen")
        scores = [mean_sd(row.scores[name].mean, row.scores[name].sd) for name in names]
        others = [spread(value) for value in (row.lead, row.constant, row.area, row.uninformed_area)]
        rows.append((row.name, *scores, *others))
    return Table(
        name=f"{analysis.results.corpus} bias",
        caption=f"Bias towards seen classes on {analysis.results.corpus}",
        columns=columns(
            "System",
            "Seen accuracy",
            "Unseen accuracy",
            "Harmonic mean",
            "Unseen as seen",
            "Median lead",
            "Constant",
            "AUSUC",
            "Uninformed AUSUC",
        ),
        rows=tuple(rows),
        notes=bias_notes(analysis),
    )


def _comparison_table(analysis: ZeroShotAnalysis) -> Table:
    rows = []
    for row in analysis.rows:
        if row.against:
            unseen, full = row.against[UNSEEN_ACCURACY], row.against["weighted_f1"]
            enough = row.unseen_dialogues >= FEWEST_DIALOGUES
            rows.append(
                (
                    row.name,
                    str(unseen.n_pairs),
                    str(row.n_utterances),
                    str(row.n_unseen),
                    signed(100 * unseen.delta),
                    interval(unseen.ci_low, unseen.ci_high) if enough else NONE,
                    p_value(row.p_value_holm) if enough else NONE,
                    signed(100 * full.delta),
                    interval(full.ci_low, full.ci_high),
                )
            )
    return Table(
        name=f"{analysis.results.corpus} differences",
        caption=f"Against {analysis.results.control} on {analysis.results.corpus}",
        columns=columns(
            "System",
            "Pairs",
            "Utterances",
            "Unseen",
            "Δ unseen accuracy",
            "95% interval",
            "Holm p",
            "Δ w-F1",
            "95% interval",
        ),
        rows=tuple(rows),
        notes=comparison_notes(analysis),
    )


def _cells(row: ZeroShotRow) -> dict[str, str]:
    def score(name: str) -> str:
        return mean_sd(row.scores[name].mean, row.scores[name].sd)

    enough = row.unseen_dialogues >= FEWEST_DIALOGUES
    return {
        "System": row.name,
        "n": str(row.scores[UNSEEN_ACCURACY].n_seeds),
        "Unseen accuracy": score(UNSEEN_ACCURACY),
        "95% interval": _range(row.scores[UNSEEN_ACCURACY]) if enough else NONE,
        "Unseen w-F1": score("subset_weighted_f1"),
        "One-vs-rest F1": score("one_vs_rest_f1"),
        "Accuracy": score("accuracy"),
        "w-F1": score("weighted_f1"),
        "w-F1 95% interval": _range(row.scores["weighted_f1"]),
        "M parameters": NONE if math.isnan(row.parameters) else f"{row.parameters / _MILLION:.2f}",
    }


def _published_cells(name: str, score: PublishedZeroShot) -> dict[str, str]:
    return {
        "System": f"{name} (paper)",
        "Unseen accuracy": f"{score.unseen_accuracy:.2f}",
        "Unseen w-F1": f"{score.unseen_weighted_f1:.2f}",
        "Accuracy": f"{score.accuracy:.2f}",
        "w-F1": f"{score.weighted_f1:.2f}",
        "M parameters": f"{score.parameters:.0f}",
    }


def _range(score: Estimate) -> str:
    """Interval of a score as printed, within [0, 1]."""
    return NONE if math.isnan(score.ci_low) else f"[{percent(max(score.ci_low, 0))}, {percent(min(score.ci_high, 1))}]"
