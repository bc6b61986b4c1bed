"""IEMOCAP's EmoEvaluation files: times, majority labels and human scores of utterances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmerl.config import DIMENSIONS
from fmerl.corpus.dialogue import Problem
from fmerl.corpus.readers.iemocap.files import numbered_lines, session_folders, text_files
from fmerl.corpus.readers.iemocap.ids import LABELS, VAD_RANGE, gender_of, session_of
from fmerl.errors import InputError

_NUMBER = r"\d+(?:\.\d+)?"
_SCORE = r" ?([^,\]]+?) ?"
_SUMMARY = re.compile(rf"\[ ?({_NUMBER}) ?- ?({_NUMBER}) ?\] ?(\S+) (\w+) \[{_SCORE},{_SCORE},{_SCORE}\]", re.ASCII)
"""An utterance's line, its white space brought to single spaces."""
_KNOWN = re.compile(r"%|[CA]-\w+:", re.ASCII)
"""Lines to skip: the header, and those of single annotators."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The annotators' consensus on one utterance."""

    utterance_id: str
    start: float
    """Start in seconds from the beginning of the dialogue's recording."""
    end: float
    label: str
    """Label in the file: `hap`, `xxx` (no majority), …"""
    vad: tuple[float, float, float] | None
    """Mean scores of the annotators, 1 to 5; None where the file has no such numbers."""
    where: str
    """Path of the file below the release's folder."""
    row: int

    @property
    def emotion(self) -> str | None:
        """Emotion among the six classes, or None."""
        return LABELS.get(self.label)

    def scores(self) -> dict[str, Any]:
        """Score fields of an `Utterance`; empty without scores."""
        return dict(zip(DIMENSIONS, self.vad, strict=True)) if self.vad else {}


def read_evaluations(folder: Path, problems: list[Problem]) -> dict[str, list[Evaluation]]:
    """The evaluations of every dialogue of a release, each in the order of its file.

    Args:
        folder: `IEMOCAP_full_release`, with `Session1` to `Session5`.
        problems: Takes skipped files and unreadable or odd lines.

    Raises:
        InputError: No session, a file that holds two different evaluations of an utterance.
    """
    found: dict[str, list[Evaluation]] = {}
    for session in session_folders(folder, problems):
        for path in text_files(folder, session / "dialog" / "EmoEvaluation", problems):
            if session_of(path.stem) is None or path.stem[3:5] != f"0{session.name[-1]}":
                what, where = f"{path.name} is named after no dialogue of {session.name}", path.relative_to(folder)
                problems.append(Problem(where=str(where), row=0, what=what, action="left out"))
                continue
            found[path.stem] = _read_file(folder, path, problems)
    return found


def by_utterance(evaluations: Mapping[str, list[Evaluation]]) -> dict[str, Evaluation]:
    """Evaluations by utterance id."""
    return {item.utterance_id: item for items in evaluations.values() for item in items}


def _read_file(root: Path, path: Path, problems: list[Problem]) -> list[Evaluation]:
    where = str(path.relative_to(root))
    found: dict[str, tuple[str, Evaluation]] = {}
    for row, line in numbered_lines(root, path, problems):
        if _KNOWN.match(line):
            continue
        match = _SUMMARY.fullmatch(" ".join(line.split()))
        if match is None:
            problems.append(Problem(where=where, row=row, what=f"unreadable line {line!r}", action="left out"))
            continue
        name, label = match[3], match[4].lower()
        if gender_of(name, path.stem) is None:
            what = f"{name} is no utterance of {path.stem}"
            problems.append(Problem(where=where, row=row, what=what, action="left out"))
            continue
        if name in found:
            first = found[name]
            if first[0] != match[0]:
                what = f"{name} is evaluated otherwise in row {first[1].row}"
                raise InputError(path, what, "keep the right line", row=row)
            problems.append(Problem(where=where, row=row, what=f"repeats row {first[1].row}", action="left out"))
            continue
        if label != match[4]:
            what = f"{name} is labelled {match[4]}"
            problems.append(Problem(where=where, row=row, what=what, action=f"read as {label!r}"))
        scores = _scores(match[5], match[6], match[7])
        if scores is None:
            what = f"{name} is scored [{match[5]}, {match[6]}, {match[7]}], not 1 to 5"
            problems.append(Problem(where=where, row=row, what=what, action="scores left out"))
        found[name] = (
            match[0],
            Evaluation(
                utterance_id=name,
                start=float(match[1]),
                end=float(match[2]),
                label=label,
                vad=scores,
                where=where,
                row=row,
            ),
        )
    return [evaluation for _, evaluation in found.values()]


def _scores(*cells: str) -> tuple[float, float, float] | None:
    low, high = VAD_RANGE
    if not all(re.fullmatch(_NUMBER, cell, re.ASCII) and low <= float(cell) <= high for cell in cells):
        return None
    valence, arousal, dominance = map(float, cells)
    return valence, arousal, dominance
