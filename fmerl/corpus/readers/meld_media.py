"""Clips of MELD's raw release by utterance. Nothing is decoded here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fmerl.corpus.dialogue import Corpus, Problem, Utterance
from fmerl.errors import InputError

CLIP_FOLDERS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
"""Folders of clips by the prefix of an utterance's id."""

_OTHER_NAMES = {"test": "final_videos_test"}
"""Names that some copies of the release use instead."""

_UNUSABLE = {
    "train_dia125_utt3": "the clip is corrupt",
    "train_dia309_utt0": "the clip is cut wrongly, it lasts 41 s",
    "train_dia338_utt3": "the clip's span is next to nothing",
    "test_dia38_utt4": "the clip is cut wrongly, it lasts 305 s",
    "test_dia155_utt3": "the clip's span is next to nothing",
    "test_dia220_utt0": "the clip is cut wrongly, it lasts 235 s",
}
"""Clips of the release that do not show their utterance."""

_SUSPECT = {"test_dia279_utt15": "the clip is known to be suspect"}

_CLIP = re.compile(r"dia(\d+)_utt(\d+)", re.ASCII)


def with_media(corpus: Corpus, folder: Path) -> tuple[Corpus, list[Problem]]:
    """MELD with the clip of every utterance as its audio and its video, by absolute path.

    Args:
        corpus: From `fmerl.corpus.read_meld`.
        folder: Folder of the CLIP_FOLDERS.

    Returns:
        The corpus, and the odd clips: missing, empty, known to be bad, of no utterance, or a second one; and folders
        that are not there.

    Raises:
        InputError: None of the folders is there.
    """
    root, problems = folder.resolve(), list[Problem]()
    folders = {prefix: _clip_folder(root, prefix) for prefix in CLIP_FOLDERS}
    if not any(folders.values()):
        what = f"none of {', '.join(CLIP_FOLDERS.values())} is there"
        raise InputError(folder, what, "unpack the clips of MELD's raw release there")
    prefixes = Counter(utterance.utterance_id.partition("_")[0] for utterance in corpus.utterances())
    for prefix, clips in folders.items():
        if clips is None:
            action = f"{prefixes[prefix]} utterances without audio and video"
            name = CLIP_FOLDERS[prefix]
            problems.append(Problem(where=name, row=0, what=f"no folder {name}", action=action, on_screen=True))
    dialogues = tuple(
        replace(dialogue, utterances=tuple(_with_clip(item, folders, problems) for item in dialogue.utterances))
        for dialogue in corpus.dialogues
    )
    known = {utterance.utterance_id for utterance in corpus.utterances()}
    for prefix, clips in folders.items():
        for path in sorted(clips.iterdir()) if clips is not None else ():
            if reason := _fault_of_extra(path, prefix, known):
                problems.append(Problem(where=f"{path.parent.name}/{path.name}", row=0, what=reason, action="ignored"))
    return replace(corpus, dialogues=dialogues), problems


def _clip_folder(root: Path, prefix: str) -> Path | None:
    names = (CLIP_FOLDERS[prefix], _OTHER_NAMES.get(prefix))
    return next((root / name for name in names if name is not None and (root / name).is_dir()), None)


def _with_clip(utterance: Utterance, folders: Mapping[str, Path | None], problems: list[Problem]) -> Utterance:
    name = utterance.utterance_id
    prefix, clip = name.split("_", maxsplit=1)
    folder = folders[prefix]
    if folder is None:
        return utterance
    path = folder / f"{clip}.mp4"
    where = f"{folder.name}/{clip}.mp4"
    if not path.is_file():
        reason: str | None = "no such clip"
    elif not path.stat().st_size:
        reason = "the clip is empty"
    else:
        reason = _UNUSABLE.get(name)
    if reason is not None:
        problems.append(Problem(where=where, row=0, what=reason, action="kept without audio and video"))
        return utterance
    if name in _SUSPECT:
        problems.append(Problem(where=where, row=0, what=_SUSPECT[name], action="kept"))
    return replace(utterance, audio_path=str(path), video_path=str(path))


def _fault_of_extra(path: Path, prefix: str, known: set[str]) -> str | None:
    """Reason why a file is not the clip of an utterance; None if it is."""
    match = _CLIP.search(path.stem)
    if path.name.startswith("._"):
        return "a file made by macOS"
    if match is None or path.suffix != ".mp4":
        return "no name of a clip"
    name = f"{prefix}_dia{int(match[1])}_utt{int(match[2])}"
    if name not in known:
        return f"no utterance {name} in the CSV"
    return None if path.stem == name.removeprefix(f"{prefix}_") else f"a second clip of {name}"
