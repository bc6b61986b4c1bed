"""Items to encode: all that an encoder of a modality reads of each utterance of a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fmerl.corpus.dialogue import Corpus, Dialogue
from fmerl.corpus.folder import media_file
from fmerl.features.encoder import Item


def items_of(corpus: Corpus, folder: Path, modality: str, context: int) -> Iterator[Item]:
    """An item per utterance, in the corpus's order, that holds what an encoder of the modality reads.

    Sound comes from `audio_path` where there is one, else from the video.

    Args:
        corpus: Read from `folder`.
        folder: Folder that media paths start from.
        modality: `text`, `audio` or `visual`.
        context: Earlier turns that go with a text.
    """
    for dialogue in corpus.dialogues:
        if modality == "text":
            yield from _text_items(dialogue, context)
            continue
        for utterance in dialogue.utterances:
            own_sound = modality == "audio" and utterance.audio_path is not None
            path = utterance.audio_path if own_sound else utterance.video_path
            yield Item(
                utterance_id=utterance.utterance_id,
                media=None if path is None else media_file(folder, path),
                start=None if own_sound else utterance.video_start,
                end=None if own_sound else utterance.video_end,
                side=utterance.video_side if modality == "visual" else None,
            )


def _text_items(dialogue: Dialogue, context: int) -> Iterator[Item]:
    texts = [utterance.text for utterance in dialogue.utterances]
    for turn, utterance in enumerate(dialogue.utterances):
        yield Item(
            utterance_id=utterance.utterance_id,
            text=utterance.text,
            context=tuple(texts[max(0, turn - context) : turn]),
        )
