"""IEMOCAP's transcriptions: texts by utterance id."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from fmerl.corpus.dialogue import Problem
from fmerl.corpus.readers.iemocap.evaluation import Evaluation
from fmerl.corpus.readers.iemocap.files import SESSIONS, numbered_lines, text_files
from fmerl.errors import InputError

_SPOKEN = re.compile(r"(\S+) \[[\d.]+ ?- ?[\d.]+\]:\s*(.*)", re.ASCII)


def read_transcriptions(
    folder: Path, evaluations: Mapping[str, Collection[Evaluation]], problems: list[Problem]
) -> dict[str, str]:
    """Texts of the evaluated utterances.

    Args:
        folder: `IEMOCAP_full_release`.
        evaluations: Evaluations by dialogue.
        problems: Takes lines that cannot be read, and turns without an evaluation.

    Raises:
        InputError: Two different texts of one utterance.
    """
    texts: dict[str, str] = {}
    for session in SESSIONS:
        for path in text_files(folder, folder / session / "dialog" / "transcriptions", problems):
            if path.stem in evaluations:
                texts |= _read_file(folder, path, {item.utterance_id for item in evaluations[path.stem]}, problems)
            else:
                what, where = f"no evaluation of a dialogue {path.stem}", str(path.relative_to(folder))
                problems.append(Problem(where=where, row=0, what=what, action="left out"))
    return texts


def _read_file(root: Path, path: Path, evaluated: Collection[str], problems: list[Problem]) -> dict[str, str]:
    texts: dict[str, tuple[str, int]] = {}
    for row, line in numbered_lines(root, path, problems):
        match = _SPOKEN.fullmatch(line)
        if match is None:
            what = f"unreadable line {line!r}"
        elif match[1] not in evaluated:
            what = f"{match[1]} has no evaluation"
        elif match[1] not in texts:
            texts[match[1]] = match[2], row
            continue
        elif texts[match[1]][0] == match[2]:
            what = f"repeats row {texts[match[1]][1]}"
        else:
            what = f"{match[1]} has another text in row {texts[match[1]][1]}"
            raise InputError(path, what, "keep the right line", row=row)
        problems.append(Problem(where=str(path.relative_to(root)), row=row, what=what, action="left out"))
    return {name: text for name, (text, _) in texts.items()}
