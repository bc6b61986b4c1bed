"""`fmerl make-media-corpus`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fmerl.errors import InputError
from fmerl_platform.cli.console import EXIT_OK, results, say
from fmerl_platform.cli.options import FLAT, OutputFolder


@dataclass(frozen=True, kw_only=True)
class MediaCorpusOptions:
    """Options of a made-up corpus of media."""

    output: OutputFolder
    """The corpus folder."""
    dialogues: int = 24
    """Dialogues of about six turns."""
    layout: Literal["clips", "dialogues"] = "clips"
    """clips: a video per utterance; dialogues: a video per dialogue with both speakers side by side, and a wav per
    utterance."""
    faults: bool = False
    """Plant a missing file, a corrupt one, one without sound and one without a face."""
    seed: int = 0
    """Seed of everything in it."""


def make_media_corpus(*, options: Annotated[MediaCorpusOptions, FLAT]) -> int:
    """Make a small corpus of raw media, whose texts, speech and faces follow valence, arousal and dominance.

    For tests and demonstrations of extraction: nothing in it was recorded, and numbers on it say nothing about emotion.
    """
    from fmerl.synthetic.media import MediaSpec, write_media_corpus

    try:
        spec = MediaSpec(dialogues=options.dialogues, layout=options.layout, faults=options.faults, seed=options.seed)
    except ValueError as error:
        raise InputError("arguments", str(error), "see --help") from error
    corpus = write_media_corpus(spec, options.output)
    utterances = sum(1 for _ in corpus.utterances())
    say(f"{corpus.name}: {utterances} utterances in {len(corpus.dialogues)} dialogues, {options.output}", to=results)
    return EXIT_OK
