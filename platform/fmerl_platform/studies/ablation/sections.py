"""The report of an ablation: a section per corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fmerl_platform.report.document import Report, Section
from fmerl_platform.report.numbers import NONE, interval, mean_sd, p_value, percent, signed
from fmerl_platform.report.table import Column, Table, columns
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, VariantRow
from fmerl_platform.studies.ablation.collapse import collapse_warning
from fmerl_platform.studies.ablation.figures import corpus_figures
from fmerl_platform.studies.ablation.pooled import pooled_section
from fmerl_platform.studies.ablation.ranks import rank_table
from fmerl_platform.studies.ablation.robustness import condition_table
from fmerl_platform.studies.ablation.strata import modality_table, strata_table
from fmerl_platform.studies.ablation.wording import finding, guide, table_notes
from fmerl_platform.studies.paper_results import NOT_RUN, PublishedScore, published_score
from fmerl_platform.studies.wording import cells_table, missing_rows
from fmerl_platform.study.record import StudyRecord


def ablation_report(record: StudyRecord, analyses: Sequence[CorpusAnalysis]) -> Report:
    """Everything that the report of an ablation shows."""
    pooled = pooled_section(analyses)
    margin = next((analysis.margin for analysis in analyses if analysis.margin is not None), None)
    return Report(
        title=f"Ablation report: {record.study}",
        sections=(*map(_section, analyses), *([pooled[0]] if pooled else [])),
        provenance=record.facts(),
        guide=guide(margin),
        rows={
            "study": record.study,
            "corpora": {analysis.results.corpus: _rows(analysis) for analysis in analyses},
            **({"pooled": pooled[1]} if pooled else {}),
        },
    )


def _section(analysis: CorpusAnalysis) -> Section:
    results = analysis.results
    details = (
        modality_table(results),
        condition_table(results, analysis.conditions),
        strata_table(results),
        class_table(analysis),
        rank_table(analysis),
    )
    return Section(
        title=results.corpus,
        key=results.corpus,
        warning=collapse_warning(results),
        finding=finding(analysis),
        tables=(ablation_table(analysis),),
        figures=tuple(corpus_figures(analysis)),
        details=tuple(table for table in details if table is not None),
        records=(cells_table(results),),
    )


def _rows(analysis: CorpusAnalysis) -> dict[str, Any]:
    rows: dict[str, Any] = {"rows": [asdict(row) for row in analysis.rows], "missing": missing_rows(analysis.results)}
    if analysis.results.conditions:
        rows["conditions"] = [asdict(row) for row in analysis.conditions]
    return rows | ({"ranks": dict(analysis.ranking.ranks)} if analysis.ranking else {})


def ablation_table(analysis: CorpusAnalysis) -> Table:
    """The table of one corpus: a row per variant, the control first; the paper's columns where it has numbers.

    In a comparison of systems (the paper's Table 1) the variants are systems: their published numbers stand beside the
    test oracle, and systems that are published only stand below.
    """
    results, systems = analysis.results, analysis.results.compares_systems
    cells = [row_cells(row) for row in analysis.rows]
    if systems and not results.folds:
        cells += [_published_only(name, score) for name in NOT_RUN if (score := published_score(results.corpus, name))]
    shown = [
        Column("System" if systems else "Variant", numeric=False),
        Column("w-F1"),
        Column("n"),
        Column("Δ"),
        Column("95% interval"),
        *([Column("Oracle w-F1")] if systems else [Column("Paper Δ")]),
        Column("Paper w-F1", detail=not systems),
        Column("Holm p"),
        *([Column("Equivalent p")] if analysis.margin is not None else []),
        Column("Verdict", numeric=False, verdict=True),
        Column("Accuracy", detail=True),
        *([Column("Paper accuracy", detail=True)] if systems else []),
        Column("Macro F1", detail=True),
        *([] if systems else [Column("Peek gap", detail=True)]),
    ]
    if not any(row.published for row in analysis.rows):
        shown = [column for column in shown if not column.header.startswith("Paper")]
    return Table(
        name=results.corpus,
        caption=f"Systems against {results.control} on {results.corpus}"
        if systems
        else f"Ablation of {results.control} on {results.corpus}",
        columns=tuple(shown),
        rows=tuple(tuple(row.get(column.header, NONE) for column in shown) for row in cells),
        notes=table_notes(analysis),
        detail_notes=()
        if systems
        else (
            "Peek gap: points that w-F1 would gain if each seed's epoch were picked on the test set (test oracle); "
            "never a result.",
        ),
    )


def class_table(analysis: CorpusAnalysis) -> Table | None:
    """F1 of each class, a row per variant; None without any."""
    if not analysis.rows:
        return None
    results = analysis.results
    return Table(
        name=f"{results.corpus} classes",
        caption=f"F1 of each class on {results.corpus}",
        columns=columns("System" if results.compares_systems else "Variant", "Macro F1", "UAR", *results.classes),
        rows=tuple(
            (
                row.variant,
                percent(row.macro_f1),
                percent(row.balanced_accuracy),
                *(percent(row.class_f1[name]) for name in results.classes),
            )
            for row in analysis.rows
        ),
        notes=("In percent, means over seeds. UAR: unweighted average recall, or balanced accuracy.",),
    )


def row_cells(row: VariantRow) -> dict[str, str]:
    """Printed cells by header; the control has nothing to be compared with."""
    cells = {
        "Variant": row.variant,
        "System": row.variant,
        "w-F1": mean_sd(row.weighted_f1.mean, row.weighted_f1.sd),
        "n": str(row.weighted_f1.n_seeds),
        "Oracle w-F1": percent(row.oracle_weighted_f1),
        "Paper Δ": NONE if row.published_delta is None else signed(row.published_delta),
        **_paper(row.published),
        "Verdict": "control",
        "Accuracy": mean_sd(row.accuracy_mean, row.accuracy_sd),
        "Macro F1": percent(row.macro_f1),
        "Peek gap": signed(100 * row.peek_gap),
    }
    if row.comparison:
        cells |= {
            "Δ": signed(100 * row.comparison.delta),
            "95% interval": interval(row.comparison.ci_low, row.comparison.ci_high),
            "Holm p": p_value(row.comparison.p_value_holm),
            "Equivalent p": p_value(row.comparison.equivalence.p_value_holm) if row.comparison.equivalence else NONE,
            "Verdict": row.comparison.verdict if row.comparison.n_pairs else NONE,
        }
    return cells


def _published_only(name: str, score: PublishedScore) -> dict[str, str]:
    return {"System": name, **_paper(score), "Verdict": "published only"}


def _paper(score: PublishedScore | None) -> dict[str, str]:
    """The paper's cells by header, those that it has."""
    if score is None:
        return {}
    accuracy = {} if score.accuracy is None else {"Paper accuracy": f"{score.accuracy:.2f}"}
    return {"Paper w-F1": f"{score.weighted_f1:.2f}", **accuracy}
