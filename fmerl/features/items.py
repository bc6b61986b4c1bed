"""Items to encode: all that an encoder of a modality reads of each utterance of a corpus."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from fmerl.corpus.dialogue import Corpus, Dialogue
from fmerl.corpus.folder import media_file
from fmerl.errors import InputError
from fmerl.features.encoder import Item

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def items_of(
    corpus: Corpus, folder: Path, modality: str, context: int, media_roots: Sequence[Path] = ()
) -> Iterator[Item]:
    """An item per utterance, in the corpus's order, that holds what an encoder of the modality reads.

    Sound comes from `audio_path` where there is one, else from the video.

    Args:
        corpus: Read from `folder`.
        folder: Folder that media paths start from.
        modality: `text`, `audio` or `visual`.
        context: Earlier turns that go with a text.
        media_roots: Folders beside the corpus's own that may hold media.

    Raises:
        InputError: Media elsewhere: a corpus that came from others does not name files of the one who reads it.
    """
    roots = [root.resolve() for root in (folder, *media_roots)]
    for dialogue in corpus.dialogues:
        if modality == "text":
            yield from _text_items(dialogue, context)
            continue
        for utterance in dialogue.utterances:
            own_sound = modality == "audio" and utterance.audio_path is not None
            path = utterance.audio_path if own_sound else utterance.video_path
            yield Item(
                utterance_id=utterance.utterance_id,
                media=None if path is None else _media(folder, path, roots, utterance.utterance_id),
                start=None if own_sound else utterance.video_start,
                end=None if own_sound else utterance.video_end,
                side=utterance.video_side if modality == "visual" else None,
            )


def _media(folder: Path, path: str, roots: Sequence[Path], utterance_id: str) -> Path:
    if _URL.match(path):
        raise InputError(
            folder, f"the media of utterance {utterance_id} is a URL, {path}", "download it, and name the file"
        )
    file = media_file(folder, path)
    if not any(file.is_relative_to(root) for root in roots):
        what = f"the media of utterance {utterance_id} lies outside the corpus folder, in {file.parent}"
        raise InputError(folder, what, "name a folder above all media with --media-roots")
    return file


def _text_items(dialogue: Dialogue, context: int) -> Iterator[Item]:
    texts = [utterance.text for utterance in dialogue.utterances]
    for turn, utterance in enumerate(dialogue.utterances):
        yield Item(
            utterance_id=utterance.utterance_id,
            text=utterance.text,
            context=tuple(texts[max(0, turn - context) : turn]),
        )
