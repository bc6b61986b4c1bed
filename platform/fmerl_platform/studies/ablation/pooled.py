"""Verdicts over all corpora of an ablation together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fmerl_platform.report.document import Section
from fmerl_platform.report.numbers import NONE, interval, p_value, signed
from fmerl_platform.report.table import Column, Table
from fmerl_platform.statistics import Comparison
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.studies.ablation.pooling import CorpusPredictions, compare_pooled
from fmerl_platform.studies.ablation.wording import verdict_sentences

_TITLE = "All corpora"


def pooled_section(analyses: Sequence[CorpusAnalysis]) -> tuple[Section, dict[str, Any]] | None:
    """The section, and its rows for JSON; None unless several corpora have the control and a further variant."""
    compared = _compare(analyses)
    if not compared:
        return None
    control, margin = analyses[0].results.control, analyses[0].margin
    corpora = ", ".join(analysis.results.corpus for analysis in analyses)
    headers = ("Δ", "95% interval", "n", "Holm p", *(["Equivalent p"] if margin is not None else []))
    table = Table(
        name="pooled",
        caption=f"Against {control} on {corpora} together",
        columns=(
            Column("Variant", numeric=False),
            *map(Column, headers),
            Column("Verdict", numeric=False, verdict=True),
        ),
        rows=tuple(
            (name, *(_cells(comparison)[header] for header in headers), comparison.verdict)
            for name, comparison in compared.items()
        ),
        notes=(
            "Δ: mean of the corpora's Δ in points, each of the same weight; n: fewest seeds of a corpus. Dialogues are "
            "resampled within their corpus, and the corpora's variances add up. It says what holds on these corpora "
            "together, not on others.",
        ),
    )
    verdicts = verdict_sentences(compared, control, systems=analyses[0].results.compares_systems)
    finding = " ".join([f"Over {corpora} together, against {control}:", *verdicts])
    return Section(title=_TITLE, finding=finding, tables=(table,)), {
        name: asdict(comparison) for name, comparison in compared.items()
    }


def _compare(analyses: Sequence[CorpusAnalysis]) -> dict[str, Comparison]:
    """Comparisons by variant, of those that every corpus has cells of."""
    if len(analyses) < 2 or any(not analysis.results.of_variant(analysis.results.control) for analysis in analyses):
        return {}
    corpora = [
        CorpusPredictions(
            control=results.predictions_of(results.control),
            variants={
                name: found
                for name in results.variants
                if name != results.control and (found := results.predictions_of(name))
            },
            n_classes=len(results.classes),
        )
        for results in (analysis.results for analysis in analyses)
    ]
    compared = compare_pooled(corpora, margin=analyses[0].margin)
    return {name: comparison for name, comparison in compared.items() if comparison.n_pairs}


def _cells(comparison: Comparison) -> dict[str, str]:
    return {
        "Δ": signed(100 * comparison.delta),
        "95% interval": interval(comparison.ci_low, comparison.ci_high),
        "n": str(comparison.n_pairs),
        "Holm p": p_value(comparison.p_value_holm),
        "Equivalent p": p_value(comparison.equivalence.p_value_holm) if comparison.equivalence else NONE,
    }
