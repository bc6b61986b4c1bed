"""Tables that a run prints: its plan before it starts, and its results at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fmerl.card import read_card
from fmerl.features.audio.encoder import AudioSpec
from fmerl.features.audio.speech import SpeechSpec
from fmerl.features.joined import encoders_told
from fmerl_platform.extraction.items import seconds_of
from fmerl_platform.extraction.plan import TablePlan
from fmerl_platform.extraction.run import Extracted
from fmerl_platform.report.table import Table, columns
from fmerl_platform.running.placement import Placement


@dataclass(frozen=True, kw_only=True)
class _Sound:
    """Seconds of sound that a plan reads, as far as spans and files say."""

    longest: float
    """Most seconds of an utterance that are read."""
    longer: int
    """Utterances that have more."""
    waiting: float
    """Seconds still to encode."""

    @classmethod
    def of(cls, plan: TablePlan, waiting: Sequence[bytes]) -> _Sound | None:
        """Sound of a plan with these fingerprints still to encode; None of one that reads no sound."""
        if not isinstance(plan.spec, AudioSpec | SpeechSpec):
            return None
        longest, seconds = plan.spec.longest, dict(zip(plan.fingerprints, seconds_of(plan.items), strict=True))
        return cls(
            longest=longest,
            longer=sum(seconds[key] > longest for key in plan.fingerprints),
            waiting=sum(min(seconds[key], longest) for key in waiting),
        )


def plan_table_of(plans: Sequence[TablePlan], placements: Sequence[Placement]) -> Table:
    """Table of what a run would encode, and on how many workers.

    Args:
        plans: Tables to make.
        placements: Placement of each one's workers.
    """
    rows, notes = [], []
    for plan, placement in zip(plans, placements, strict=True):
        distinct = len(set(plan.fingerprints))
        keys = [] if plan.current else plan.waiting()[1]
        sound = _Sound.of(plan, keys)
        files = {item.media for item in plan.items if item.media is not None}
        row = (
            plan.modality,
            f"{plan.width:,}",
            f"{len(plan.items):,}",
            f"{len(keys):,}",
            f"{distinct - len(keys):,}",
            f"{sum(not path.is_file() for path in files):,} of {len(files):,}" if files else "-",
            "-" if sound is None else f"{sound.longer:,}",
            "there" if plan.current else "to write",
        )
        rows.append(row)
        where = f"{placement.at_once} workers of {placement.cpus:g} CPU and {placement.gpus:g} GPU"
        notes.append(f"{plan.modality} by {encoders_told(plan.card['recipe'])} on {where}")
        if sound is not None:
            notes.append(f"{sound.waiting:,.0f} s of sound to encode")
            notes.append(f"to cut: utterances of more than {sound.longest:g} s of sound (--audio-seconds)")
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
