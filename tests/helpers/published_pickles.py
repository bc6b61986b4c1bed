"""Made-up feature pickles of the published layout: true widths, any number of dialogues, every value known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

IEMOCAP_SCENES = (
    *(f"impro0{number}" for number in range(1, 9)),
    *(f"script0{act}_{scene}" for act, scenes in ((1, 3), (2, 2), (3, 2)) for scene in range(1, scenes + 1)),
)
IEMOCAP_DIALOGUES = (
    *(
        f"Ses0{session}{gender}_{scene}"
        for session in range(1, 6)
        for gender in "FM"
        for scene in IEMOCAP_SCENES
        if (session, gender, scene) != (3, "M", "impro08")
    ),
    "Ses03M_impro08a",
    "Ses05M_script01_1b",
)
"""As many as in the release, 31 of them in session 5, with the twelve that COSMIC holds out."""

IEMOCAP_COUNTS = (648, 1084, 1708, 1103, 1041, 1849)
MELD_COUNTS = (6436, 1636, 358, 1002, 2308, 361, 1607)
MELD_DIALOGUES = tuple(key for key in range(1433) if key != 60)
MELD_TEST_FROM = 1153


def true_lengths(dialogues: Sequence[Any], utterances: int, longest: int) -> dict[Any, int]:
    """A length for every dialogue, of the given sum and maximum."""
    base, rest = divmod(utterances - longest, len(dialogues) - 1)
    lengths = {key: base + (place < rest) for place, key in enumerate(dialogues[1:])}
    return {dialogues[0]: longest, **lengths}


def iemocap_pickle(lengths: Mapping[str, int], counts: Sequence[int] | None = None, seed: int = 0) -> list[Any]:
    """The twelve items, lists so that a test can change them; vectors lie in lists of arrays.

    Args:
        lengths: Utterances by dialogue id.
        counts: Utterances per class; None draws them.
        seed: Decides everything.
    """
    genders = {key: ["FM"[turn % 2] for turn in range(length)] for key, length in lengths.items()}
    ids = {key: [f"{key}_{gender}{turn // 2:03}" for turn, gender in enumerate(genders[key])] for key in lengths}
    train = [key for key in lengths if not key.startswith("Ses05")]
    test = [key for key in lengths if key.startswith("Ses05")]
    widths = (1024, 1024, 1024, 1024, 1582, 342)
    text, *others, audio, visual = (_vectors(lengths, width, seed + item) for item, width in enumerate(widths))
    labels = _labels(lengths, 6, counts, seed)
    return [ids, genders, labels, text, *others, audio, visual, _sentences(lengths), train, test]


def meld_pickle(lengths: Mapping[int, int], counts: Sequence[int] | None = None, seed: int = 0) -> list[Any]:
    """The thirteen items; audio and visual vectors lie in one array per dialogue. Arguments as `iemocap_pickle`."""
    ids = {key: list(range(length)) for key, length in lengths.items()}
    speakers = {
        key: [np.eye(9, dtype=np.int64)[turn % 3].tolist() for turn in range(length)] for key, length in lengths.items()
    }
    train = [key for key in lengths if key < MELD_TEST_FROM]
    test = [key for key in lengths if key >= MELD_TEST_FROM]
    widths = (1024, 1024, 1024, 1024, 300, 342)
    text, *others, audio, visual = (_vectors(lengths, width, seed + item) for item, width in enumerate(widths))
    joined = [{key: np.stack(rows) for key, rows in vectors.items()} for vectors in (audio, visual)]
    labels = _labels(lengths, 7, counts, seed)
    return [ids, speakers, labels, text, *others, *joined, _sentences(lengths), train, test, {}]


def _vectors(lengths: Mapping[Any, int], width: int, seed: int) -> dict[Any, list[np.ndarray]]:
    """Dialogues in reverse: only their keys tell which is which. Text is float32, the rest float64."""
    draw = np.random.default_rng(seed)
    kind = np.float32 if width == 1024 else np.float64
    return {
        key: list(draw.standard_normal((lengths[key], width), dtype=np.float32).astype(kind))
        for key in reversed(lengths)
    }


def _labels(lengths: Mapping[Any, int], classes: int, counts: Sequence[int] | None, seed: int) -> dict[Any, list[int]]:
    draw = np.random.default_rng(seed)
    total = sum(lengths.values())
    drawn = draw.integers(classes, size=total) if counts is None else np.repeat(np.arange(classes), counts)
    stream = iter(draw.permutation(drawn).tolist())
    return {key: [next(stream) for _ in range(length)] for key, length in lengths.items()}


def _sentences(lengths: Mapping[Any, int]) -> dict[Any, list[str]]:
    return {key: [f"Sentence {turn} of {key}." for turn in range(length)] for key, length in lengths.items()}
