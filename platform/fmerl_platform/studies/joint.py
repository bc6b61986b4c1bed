"""One table over several studies, for a paper: as LaTeX, Markdown, HTML, JSON, and as CSV for anything else."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from fmerl.errors import InputError
from fmerl.files import replaced_file
from fmerl_platform.ledger.provenance import command_line
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.report.document import Report, ReportPaths, Section
from fmerl_platform.report.numbers import NONE, interval, mean_sd, p_value, signed
from fmerl_platform.report.table import Column, Table
from fmerl_platform.studies.results import StudyResults

CSV = "joint.csv"
"""All numbers of the table's rows, unrounded."""
_FIRST = ("study", "corpus", "variant")
_VERDICT = Tag.VERDICT.removeprefix("fmerl.")


def joint_rows(studies: Sequence[StudyResults]) -> list[dict[str, Any]]:
    """A row per study, corpus and variant: scores in [0, 1], effects, p-values and verdicts, as in MLflow.

    Raises:
        InputError: A study stands twice.
    """
    names = [study.record.study for study in studies]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"--study {twice}", "it stands twice", "name each study once")
    return [
        {
            "study": study.record.study,
            "corpus": each.corpus,
            "variant": each.variant,
            **each.metrics,
            **_tags(each.tags),
        }
        for study in studies
        for each in study.summaries
    ]


def joint_report(studies: Sequence[StudyResults]) -> Report:
    """The report of several studies: one table."""
    rows = joint_rows(studies)
    names = ", ".join(study.record.study for study in studies)
    warnings = (
        f"{study.record.study}, {each.corpus}, {each.variant}: {each.warning}"
        for study in studies
        for each in study.summaries
        if each.warning
    )
    section = Section(
        title="Studies",
        finding=f"{len(rows)} variants of {len(studies)} studies: {names}.",
        warning=" ".join(warnings),
        tables=(joint_table(rows),),
    )
    return Report(
        title=f"Joint table: {names}",
        sections=(section,),
        provenance={
            "command": command_line(),
            **{study.record.study: study.record.provenance["code_digest"] for study in studies},
        },
        rows={"rows": rows},
    )


def joint_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The rows, printed; studies of unseen classes have scores but no verdict on weighted F1."""
    return Table(
        name="joint",
        caption="Studies side by side",
        columns=(
            Column("Study", numeric=False),
            Column("Corpus", numeric=False),
            Column("Variant", numeric=False),
            Column("w-F1"),
            Column("n"),
            Column("Δ"),
            Column("95% interval"),
            Column("Holm p"),
            Column("Verdict", numeric=False, verdict=True),
            Column("Peek gap"),
        ),
        rows=tuple(map(_cells, rows)),
        notes=(
            "w-F1: test weighted F1 in percent, mean ± sd over n seeds. Δ, interval and verdict are each study's own: "
            "against its control, corrected over its variants; nothing is compared between studies.",
            "Peek gap: points that w-F1 would gain if each seed's epoch were picked on the test set, mean ± sd over "
            "seeds. It cannot be negative, so it has no test; it never is a result, and no other column uses it.",
        ),
    )


def save_joint(report: Report, folder: Path) -> ReportPaths:
    """Write the report, and its rows as CSV beside it."""
    paths = report.save(folder)
    rows: Sequence[Mapping[str, Any]] = report.rows["rows"]
    names = list(dict.fromkeys([*_FIRST, *(name for row in rows for name in row)]))
    text = StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with replaced_file(folder / CSV) as file:
        file.write(text.getvalue().encode())
    return paths


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix("fmerl."): value for name, value in tags.items()}


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    def number(name: str) -> float:
        return float(row.get(name, math.nan))

    score = mean_sd(number("test_weighted_f1_mean"), number("test_weighted_f1_sd"))
    judged = (
        signed(100 * number("delta_weighted_f1")),
        interval(number("delta_ci_low"), number("delta_ci_high")),
        p_value(number("p_value_holm")),
    )
    verdict, peek = row.get(_VERDICT, NONE), mean_sd(number("peek_gap_mean"), number("peek_gap_sd"))
    own = (*(str(row[name]) for name in _FIRST), score, str(int(row.get("n_seeds", 0))))
    return (*own, *(judged if _VERDICT in row else (NONE,) * len(judged)), verdict, peek)
