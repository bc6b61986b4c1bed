"""The report of an ablation: a section per corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fmerl_platform.report.document import Report, Section
from fmerl_platform.report.numbers import NONE, interval, mean_sd, p_value, percent, signed
from fmerl_platform.report.table import Column, Table
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, VariantRow
from fmerl_platform.studies.ablation.figures import corpus_figures
from fmerl_platform.studies.ablation.strata import modality_table, strata_table
from fmerl_platform.studies.ablation.wording import GUIDE, finding, table_notes
from fmerl_platform.studies.paper_results import NOT_RUN, PublishedScore, published_score
from fmerl_platform.studies.wording import cells_table, missing_rows
from fmerl_platform.study.record import StudyRecord


def ablation_report(record: StudyRecord, analyses: Sequence[CorpusAnalysis]) -> Report:
    """Everything that the report of an ablation shows."""
    return Report(
        title=f"Ablation report: {record.study}",
        sections=tuple(map(_section, analyses)),
        provenance=record.facts(),
        guide=GUIDE,
        rows={
            "study": record.study,
            "corpora": {analysis.results.corpus: _rows(analysis) for analysis in analyses},
        },
    )


def _section(analysis: CorpusAnalysis) -> Section:
    results = analysis.results
    details = (build(results) for build in (modality_table, strata_table))
    return Section(
        title=results.corpus,
        key=results.corpus,
        finding=finding(analysis),
        tables=(ablation_table(analysis),),
        figures=tuple(corpus_figures(analysis)),
        details=tuple(table for table in details if table is not None),
        records=(cells_table(results),),
    )


def _rows(analysis: CorpusAnalysis) -> dict[str, Any]:
    return {"rows": [asdict(row) for row in analysis.rows], "missing": missing_rows(analysis.results)}


def ablation_table(analysis: CorpusAnalysis) -> Table:
    """The table of one corpus: a row per variant, the control first; the paper's columns where it has numbers.

    In a comparison of systems (the paper's Table 1) the variants are systems: their published numbers stand beside the
    test oracle, and systems that are published only stand below.
    """
    results, systems = analysis.results, analysis.results.compares_systems
    cells = [_cells(row) for row in analysis.rows]
    if systems and not results.folds:
        cells += [_published_only(name, score) for name in NOT_RUN if (score := published_score(results.corpus, name))]
    columns = [
        Column("System" if systems else "Variant", numeric=False),
        Column("w-F1"),
        Column("n"),
        Column("Δ"),
        Column("95% interval"),
        *([Column("Oracle w-F1")] if systems else [Column("Paper Δ")]),
        Column("Paper w-F1", detail=not systems),
        Column("Holm p"),
        Column("Verdict", numeric=False, verdict=True),
        Column("Accuracy", detail=True),
        *([Column("Paper accuracy", detail=True)] if systems else []),
        Column("Macro F1", detail=True),
        *([] if systems else [Column("Peek gap", detail=True)]),
    ]
    if not any(row.published for row in analysis.rows):
        columns = [column for column in columns if not column.header.startswith("Paper")]
    return Table(
        name=results.corpus,
        caption=f"Systems against {results.control} on {results.corpus}"
        if systems
        else f"Ablation of {results.control} on {results.corpus}",
        columns=tuple(columns),
        rows=tuple(tuple(row.get(column.header, NONE) for column in columns) for row in cells),
        notes=table_notes(analysis),
        detail_notes=()
        if systems
        else (
            "Peek gap: points that w-F1 would gain if each seed's epoch were picked on the test set (test oracle); "
            "never a result.",
        ),
    )


def _cells(row: VariantRow) -> dict[str, str]:
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
