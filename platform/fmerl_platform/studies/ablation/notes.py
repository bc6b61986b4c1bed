"""Descriptions of MLflow runs, in Markdown: what the MLflow UI shows above a run's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmerl_platform.report.numbers import finding, interval, mean_sd, p_value, percent, seeds, signed
from fmerl_platform.report.table import markdown_text
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, StudyReport, VariantRow


def study_note(report: StudyReport) -> str:
    """The finding on each corpus, and where to look next."""
    findings = [markdown_text(finding(analysis)) for analysis in report.analyses]
    where = (
        "**Artifacts** → `report/report.html` is the whole report, `study.json` all that the study was asked for. "
        "To compare variants, filter the experiment's runs by `tags.fmerl.level = 'variant'`."
    )
    return "\n\n".join([*findings, where])


def change_note(variant: str, corpus: str, control: str, changes: Mapping[str, Any]) -> str:
    """What a variant is, before it has results."""
    if variant == control:
        return f"**Control** on {markdown_text(corpus)}: every variant is compared with it."
    changed = ", ".join(f"`{path} = {value}`" for path, value in changes.items())
    return f"**{markdown_text(variant)}** on {markdown_text(corpus)}: {markdown_text(control)} with {changed}."


def variant_note(analysis: CorpusAnalysis, row: VariantRow) -> str:
    """What a variant is and what it does."""
    results, score, against = analysis.results, row.weighted_f1, row.comparison
    lines = [
        change_note(row.variant, results.corpus, results.control, results.changes.get(row.variant, {})),
        f"Test weighted F1 **{mean_sd(score.mean, score.sd)}** over {seeds(score.n_seeds)}, "
        f"95% interval [{percent(score.ci_low)}, {percent(score.ci_high)}].",
    ]
    if against and against.n_pairs:
        lines.append(
            f"Δ **{signed(100 * against.delta)}** points {interval(against.ci_low, against.ci_high)}, "
            f"Holm p {markdown_text(p_value(against.p_value_holm))}: **{against.verdict}**."
        )
    return "\n\n".join(lines)
