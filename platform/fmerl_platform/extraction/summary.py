"""What extraction tells: before it runs, what there is to do; at its end, what there is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from fmerl.card import read_card
from fmerl_platform.extraction.plan import TablePlan
from fmerl_platform.extraction.run import Extracted


def plan_table_of(plans: Sequence[TablePlan]) -> Table:
    """What a run would encode."""
    table = _table("modality", "width", "utterances", "to encode", "encoded", "files absent", "table")
    for plan in plans:
        distinct = len(set(plan.fingerprints))
        waiting = 0 if plan.current else len(plan.waiting()[0])
        files = {item.media for item in plan.items if item.media is not None}
        table.add_row(
            plan.modality,
            f"{plan.width:,}",
            f"{len(plan.items):,}",
            f"{waiting:,}",
            f"{distinct - waiting:,}",
            f"{sum(not path.is_file() for path in files):,} of {len(files):,}" if files else "-",
            "there" if plan.current else "to write",
        )
    return table


def summary_table(done: Sequence[Extracted]) -> Table:
    """The tables that are there, from their cards."""
    table = _table("modality", "rows", "width", "missing", "problems", "encoded now", "seconds")
    for extracted in done:
        card = read_card(extracted.plan.folder)
        counts = (card[name] for name in ("rows", "width", "missing", "problems"))
        table.add_row(
            extracted.plan.modality,
            *(f"{count:,}" for count in counts),
            f"{extracted.encoded:,}",
            f"{extracted.seconds:.1f}",
        )
    return table


def _table(*headings: str) -> Table:
    table = Table()
    for heading in headings:
        table.add_column(heading)
    return table
