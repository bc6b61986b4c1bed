"""A zero-shot study in MLflow's UI: metrics, tags and notes of its runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from fmerl_platform.ledger.publish import RunSummary
from fmerl_platform.ledger.results import CellRecord, labelled_predictions
from fmerl_platform.ledger.runs import change_note
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.report.table import markdown_text
from fmerl_platform.statistics import confusion_by_dialogue
from fmerl_platform.statistics.scores import SCORES
from fmerl_platform.studies.zero_shot.analysis import ZeroShotAnalysis, ZeroShotRow
from fmerl_platform.studies.zero_shot.scores import zero_shot_scores
from fmerl_platform.studies.zero_shot.wording import warning_of, zero_shot_finding
from fmerl_platform.study.hold_out import UNSEEN_CLASSES


def study_note(analyses: Sequence[ZeroShotAnalysis]) -> str:
    """Warnings and findings of all corpora, in Markdown."""
    warnings = [warning for analysis in analyses if (warning := warning_of(analysis))]
    return "\n\n".join(map(markdown_text, [*warnings, *map(zero_shot_finding, analyses)]))


def run_summaries(analysis: ZeroShotAnalysis) -> Iterator[RunSummary]:
    """Summaries of every variant of one corpus, those without a finished cell too."""
    results, warning = analysis.results, warning_of(analysis)
    rows = {row.name: row for row in analysis.rows if row.name in results.changes}
    for variant, changes in results.changes.items():
        unseen = changes.get(UNSEEN_CLASSES, analysis.unseen)
        note = [change_note(variant, results.corpus, results.control, changes), f"Unseen: {', '.join(unseen)}."]
        if warning:
            note.append(markdown_text(warning))
        metrics = row_metrics(rows[variant]) if variant in rows else {}
        if variant == results.control and analysis.calibrated is not None:
            metrics |= row_metrics(analysis.calibrated, "calibrated_")
        cells = results.of_variant(variant) if variant in rows else ()
        yield RunSummary(
            corpus=results.corpus,
            variant=variant,
            metrics=metrics,
            tags={Tag.UNSEEN: ",".join(unseen)},
            note="\n\n".join(note),
            cells={cell.run_id: cell_metrics(cell, analysis) for cell in cells},
            warning=warning,
        )


def cell_metrics(cell: CellRecord, analysis: ZeroShotAnalysis) -> dict[str, float]:
    """Scores that a cell did not log itself, since it knows nothing of unseen classes in test."""
    classes = analysis.results.classes
    confusion = confusion_by_dialogue([labelled_predictions(cell, classes)], len(classes)).sum(axis=(0, 1))
    scores = zero_shot_scores([classes.index(name) for name in analysis.unseen], len(classes))
    return {f"test_{name}": float(score(confusion)) for name, score in scores.items() if name not in SCORES}


def row_metrics(row: ZeroShotRow, prefix: str = "") -> dict[str, float]:
    """Metrics of a table row for its variant's run; undefined ones left out."""
    metrics = {"n_seeds": float(next(iter(row.scores.values())).n_seeds)}
    for name, score in row.scores.items():
        metrics[f"test_{name}_mean"] = score.mean
        metrics[f"test_{name}_sd"] = score.sd
        metrics[f"test_{name}_ci_low"] = score.ci_low
        metrics[f"test_{name}_ci_high"] = score.ci_high
    for name, against in row.against.items():
        metrics[f"delta_{name}"] = against.delta
        metrics[f"delta_{name}_ci_low"] = against.ci_low
        metrics[f"delta_{name}_ci_high"] = against.ci_high
    metrics["p_value_holm"] = row.p_value_holm
    for name, value in (
        ("ausuc", row.area),
        ("uninformed_ausuc", row.uninformed_area),
        ("median_lead", row.lead),
        ("constant", row.constant),
    ):
        if value is not None:
            metrics[f"{name}_mean"], metrics[f"{name}_sd"] = value.mean, value.sd
    return {f"{prefix}{name}": value for name, value in metrics.items() if not math.isnan(value)}
