"""Tables that a run prints: its plan before it starts, and its results at the end."""

from __future__ import annotations

from collections.abc import Sequence

from fmerl.card import read_card
from fmerl.features.audio.encoder import AudioSpec
from fmerl_platform.extraction.items import longer_than
from fmerl_platform.extraction.plan import TablePlan
from fmerl_platform.extraction.run import Extracted
from fmerl_platform.report.table import Table, columns
from fmerl_platform.running.placement import Placement


def plan_table_of(plans: Sequence[TablePlan], placements: Sequence[Placement]) -> Table:
    """Table of what a run would encode, and on how many workers.

    Args:
        plans: Tables to make.
        placements: Placement of each one's workers.
    """
    rows, notes = [], []
    for plan, placement in zip(plans, placements, strict=True):
        distinct = len(set(plan.fingerprints))
        waiting = 0 if plan.current else len(plan.waiting()[0])
        files = {item.media for item in plan.items if item.media is not None}
        row = (
            plan.modality,
            f"{plan.width:,}",
            f"{len(plan.items):,}",
            f"{waiting:,}",
            f"{distinct - waiting:,}",
            f"{sum(not path.is_file() for path in files):,} of {len(files):,}" if files else "-",
            f"{longer_than(plan.items, plan.spec.longest):,}" if isinstance(plan.spec, AudioSpec) else "-",
            "there" if plan.current else "to write",
        )
        rows.append(row)
        notes.append(
            f"{plan.modality} on {placement.at_once} workers of {placement.cpus:g} CPU and {placement.gpus:g} GPU"
        )
        if isinstance(plan.spec, AudioSpec):
            notes.append(f"to cut: utterances of more than {plan.spec.longest:g} s of sound (--audio-seconds)")
    headings = columns("modality", "width", "utterances", "to encode", "encoded", "files absent", "to cut", "table")
    return Table(name="plan", caption="Feature tables to make", columns=headings, rows=tuple(rows), notes=tuple(notes))


def summary_table(done: Sequence[Extracted]) -> Table:
    """Summary of the finished tables, from their cards."""
    rows = []
    for extracted in done:
        card = read_card(extracted.plan.folder)
        counts = (card[name] for name in ("rows", "width", "missing", "problems"))
        now = f"{extracted.encoded:,}", f"{extracted.seconds:.1f}"
        rows.append((extracted.plan.modality, *(f"{count:,}" for count in counts), *now))
    headings = columns("modality", "rows", "width", "missing", "problems", "encoded now", "seconds")
    return Table(name="features", caption="Feature tables", columns=headings, rows=tuple(rows), notes=())
