"""An ablation in MLflow's UI: metrics, tags and notes of its variants' runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fmerl_platform.ledger.publish import PLANNED_VARIANTS, RunSummary
from fmerl_platform.ledger.runs import change_note
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.report.numbers import interval, mean_sd, p_value, percent, seeds, signed
from fmerl_platform.report.table import markdown_text
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, VariantRow
from fmerl_platform.studies.ablation.collapse import collapse_warning, variant_warning
from fmerl_platform.studies.ablation.wording import finding


def run_summary(analysis: CorpusAnalysis, row: VariantRow) -> RunSummary:
    """Summary of a table row for its variant's run."""
    return RunSummary(
        corpus=analysis.results.corpus,
        variant=row.variant,
        metrics=variant_metrics(row),
        warning=variant_warning(analysis.results, row.variant),
        tags={Tag.VERDICT: row.comparison.verdict if row.comparison else "control"},
        note=variant_note(analysis, row),
    )


def variant_metrics(row: VariantRow) -> dict[str, float]:
    """Metrics of a table row for its variant's run, to compare variants in the MLflow UI; undefined ones left out."""
    score, against = row.weighted_f1, row.comparison
    metrics = {
        "test_weighted_f1_mean": score.mean,
        "test_weighted_f1_sd": score.sd,
        "test_weighted_f1_ci_low": score.ci_low,
        "test_weighted_f1_ci_high": score.ci_high,
        "test_accuracy_mean": row.accuracy_mean,
        "test_oracle_weighted_f1_mean": row.oracle_weighted_f1,
        "peek_gap_mean": row.peek_gap,
        "peek_gap_sd": row.peek_gap_sd,
        "n_seeds": float(score.n_seeds),
    }
    if against is not None:
        metrics |= {
            "delta_weighted_f1": against.delta,
            "delta_ci_low": against.ci_low,
            "delta_ci_high": against.ci_high,
            "p_value": against.p_value,
            "p_value_holm": against.p_value_holm,
            "p_value_sign_flip": against.p_value_sign_flip,
        }
        if against.equivalence:
            metrics["p_value_equivalent_holm"] = against.equivalence.p_value_holm
    return {name: value for name, value in metrics.items() if not math.isnan(value)}


def study_note(analyses: Sequence[CorpusAnalysis]) -> str:
    """Findings on each corpus, and where to look next."""
    findings = [
        markdown_text(text)
        for analysis in analyses
        for text in (collapse_warning(analysis.results), finding(analysis))
        if text
    ]
    where = (
        "**Artifacts** → `report/report.html` is the whole report, `study.json` all that the study was asked for. "
        f"To compare variants, filter the experiment's runs by `{PLANNED_VARIANTS}`."
    )
    return "\n\n".join([*findings, where])


def variant_note(analysis: CorpusAnalysis, row: VariantRow) -> str:
    """Description of a variant and its effect."""
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
    if warning := variant_warning(results, row.variant):
        lines.append(f"**Warning:** {markdown_text(warning)}")
    return "\n\n".join(lines)
