"""Paths of IEMOCAP's media: one wav per utterance, one avi per dialogue with both actors side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from fmerl.corpus.dialogue import Problem
from fmerl.corpus.readers.iemocap.evaluation import Evaluation
from fmerl.corpus.readers.iemocap.files import SESSIONS
from fmerl.corpus.readers.iemocap.ids import gender_of, picture_side, session_of


def find_media(
    folder: Path, evaluations: Mapping[str, Sequence[Evaluation]], problems: list[Problem]
) -> dict[str, dict[str, Any]]:
    """Media fields of an `Utterance` by utterance id; nothing is decoded.

    Args:
        folder: `IEMOCAP_full_release`; paths start with it.
        evaluations: Evaluations by dialogue.
        problems: Takes files that are missing, empty or of no evaluated utterance, and invalid spans.
    """
    media: dict[str, dict[str, Any]] = {}
    for name, items in evaluations.items():
        session = folder / f"Session{session_of(name)}"
        video = _checked(folder, session / "dialog" / "avi" / "DivX" / f"{name}.avi", "without video", problems)
        sounds = session / "sentences" / "wav" / name
        if not sounds.is_dir():
            _note(problems, folder, sounds, "no such folder", f"{len(items)} utterances without audio")
        for item in items:
            media[item.utterance_id] = _picture(item, name, video, problems)
            if sounds.is_dir():
                sound = _checked(folder, sounds / f"{item.utterance_id}.wav", "without audio", problems)
                media[item.utterance_id]["audio_path"] = sound and str(sound)
        _note_others(folder, sounds, {f"{item.utterance_id}.wav" for item in items}, problems)
    for session_name in SESSIONS:
        session = folder / session_name
        _note_others(folder, session / "sentences" / "wav", evaluations, problems)
        _note_others(folder, session / "dialog" / "avi" / "DivX", {f"{name}.avi" for name in evaluations}, problems)
    return media


def _picture(item: Evaluation, dialogue: str, video: Path | None, problems: list[Problem]) -> dict[str, Any]:
    if item.start >= item.end:
        what = f"{item.utterance_id} lasts from {item.start:g} to {item.end:g} s"
        problems.append(Problem(where=item.where, row=item.row, what=what, action="without video"))
        return {}
    if video is None:
        return {}
    gender = gender_of(item.utterance_id, dialogue)
    assert gender is not None, "read_evaluations leaves out ids of other dialogues"
    return {
        "video_path": str(video),
        "video_start": item.start,
        "video_end": item.end,
        "video_side": picture_side(dialogue, gender),
    }


def _checked(root: Path, path: Path, action: str, problems: list[Problem]) -> Path | None:
    if path.is_file() and path.stat().st_size:
        return path
    _note(problems, root, path, "empty file" if path.is_file() else "no such file", action)
    return None


def _note_others(root: Path, folder: Path, known: Collection[str], problems: list[Problem]) -> None:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name not in known:
            _note(problems, root, path, "belongs to no evaluated utterance", "ignored")


def _note(problems: list[Problem], root: Path, path: Path, what: str, action: str) -> None:
    problems.append(Problem(where=str(path.relative_to(root)), row=0, what=what, action=action))
