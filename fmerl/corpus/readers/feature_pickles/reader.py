"""Feature pickles as SDT, COSMIC and others publish them -> a corpus and its feature arrays.

Shapes: U utterances of the corpus, N of one dialogue, D width of a modality.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.corpus.dialogue import Corpus, Problem
from fmerl.corpus.readers.feature_pickles import dialogues
from fmerl.corpus.readers.feature_pickles.formats import (
    FORMATS,
    IEMOCAP,
    PER_UTTERANCE,
    SPLIT_LISTS,
    TEXT_VECTORS,
    PublishedFormat,
)
from fmerl.corpus.readers.feature_pickles.unpickling import read_plain_pickle
from fmerl.corpus.readers.iemocap.evaluation import Evaluation
from fmerl.errors import InputError
from fmerl.files import file_digest

_REMEDY = "take the pickle that SDT publishes, or one of its layout"


@dataclass(frozen=True, kw_only=True, eq=False)
class PublishedFeatures:
    """Contents of a feature pickle."""

    corpus: Corpus
    features: Mapping[str, NDArray[np.float32]]
    """Features by modality, [U, D], in the order of `corpus.utterances()`."""
    missing: Mapping[str, NDArray[np.bool_]]
    """Rows that are zero in the pickle or hold a value that is not finite, [U] by modality."""
    items: Mapping[str, tuple[str, ...]]
    """Items of the pickle that each modality was made from."""
    source: str
    """SHA-256 of the pickle."""
    format: PublishedFormat
    problems: tuple[Problem, ...]


def read_published(
    path: Path,
    *,
    text: str = "roberta1",
    validation: Collection[str] | None = None,
    evaluations: Mapping[str, Evaluation] | None = None,
) -> PublishedFeatures:
    """Read IEMOCAP's 12-tuple or MELD's 13-tuple, told apart by their lengths.

    The dicts are joined by dialogue id, and must agree on the dialogues and on the length of each. Train and test are
    the pickle's. Validation is held out of its train: MELD's official dev dialogues (keys 1039 to 1152, which follow
    the 1,038 of train), and the 12 dialogues of IEMOCAP that COSMIC holds out.

    MELD's pickle numbers a dialogue's utterances by position, not by MELD's own Utterance_IDs, which have gaps: they
    are called `train_dia0_turn3` here and never join with what was made from the raw release.

    Args:
        path: The pickle.
        text: Text vector, a key of TEXT_VECTORS.
        validation: Dialogues to hold out instead, by the pickle's keys.
        evaluations: IEMOCAP's human scores by utterance id; None leaves the corpus without.

    Raises:
        InputError: A pickle that is unsafe, broken, or of another layout; a validation dialogue that train lacks;
            evaluations for MELD.
    """
    content = read_plain_pickle(path)
    published = _format(path, content)
    if evaluations is not None and published is not IEMOCAP:
        raise InputError(path, f"this is {published.corpus}, which has no EmoEvaluation", "leave --iemocap out")
    items = dict(zip((*PER_UTTERANCE, *SPLIT_LISTS), content, strict=False))
    del content
    lengths = dialogues.checked_lengths(path, items)
    problems: list[Problem] = []
    if (total := sum(lengths.values())) != published.utterances:
        what = f"{total} utterances, published are {published.utterances}"
        problems.append(Problem(where=path.name, row=0, what=what, action="kept"))
    corpus = dialogues.corpus_of(path, published, items, validation, problems)
    if evaluations is not None:
        corpus = _with_scores(path, corpus, evaluations, problems)
    wanted = {"text": TEXT_VECTORS[text], "audio": ("videoAudio",), "visual": ("videoVisual",)}
    features, missing = {}, {}
    for modality, names in wanted.items():
        values = _stacked(path, names[0], items[names[0]], lengths)
        for name in names[1:]:
            values += _stacked(path, name, items[name], lengths)
        values /= len(names)
        if values.shape[1] != published.widths[modality]:
            what = f"{modality} features are {values.shape[1]} wide, published are {published.widths[modality]}"
            problems.append(Problem(where=path.name, row=0, what=what, action="kept"))
        missing[modality] = _cleared(path, modality, corpus, values, problems)
        features[modality] = values
    return PublishedFeatures(
        corpus=corpus,
        features=features,
        missing=missing,
        items=wanted,
        source=file_digest(path),
        format=published,
        problems=tuple(problems),
    )


def _format(path: Path, content: Any) -> PublishedFormat:
    known = " or ".join(f"{items} ({published.corpus})" for items, published in FORMATS.items())
    if not isinstance(content, tuple | list):
        raise InputError(path, f"the pickle holds a {type(content).__name__}, not a tuple of {known} items", _REMEDY)
    if len(content) not in FORMATS:
        raise InputError(path, f"the tuple has {len(content)} items, not {known}", _REMEDY)
    return FORMATS[len(content)]


def _stacked(path: Path, name: str, by_dialogue: Mapping[Any, Any], lengths: Mapping[Any, int]) -> NDArray[np.float32]:
    """Rows of all dialogues, [U, D], in the order of `lengths`."""
    stacked: NDArray[np.float32] | None = None
    start = 0
    for key, length in lengths.items():
        try:
            # A value too large for float32 becomes infinite, which is listed as a problem later.
            with np.errstate(over="ignore"):
                values = np.asarray(by_dialogue[key], dtype=np.float32)
        except (ValueError, TypeError, OverflowError):
            raise InputError(path, f"{name}[{key!r}] is no table of numbers", _REMEDY) from None
        if values.ndim != 2 or len(values) != length or values.shape[1] == 0:
            what = f"{name}[{key!r}] has shape {values.shape}, not one vector for each of {length} utterances"
            raise InputError(path, what, _REMEDY)
        if stacked is None:
            stacked = np.empty((sum(lengths.values()), values.shape[1]), dtype=np.float32)
        if values.shape[1] != stacked.shape[1]:
            what = f"{name}[{key!r}] is {values.shape[1]} wide, the dialogues before it are {stacked.shape[1]}"
            raise InputError(path, what, _REMEDY)
        stacked[start : start + length] = values
        start += length
    assert stacked is not None, "checked_lengths refuses a pickle without dialogues"
    return stacked


def _cleared(
    path: Path, modality: str, corpus: Corpus, values: NDArray[np.float32], problems: list[Problem]
) -> NDArray[np.bool_]:
    """Missing rows [U]; those that are not finite are set to zero."""
    broken = np.logical_not(np.isfinite(values).all(axis=1))
    values[broken] = 0
    missing: NDArray[np.bool_] = np.logical_not(values.any(axis=1))
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    for row in np.flatnonzero(missing):
        what = f"{modality} feature of {ids[row]} {'has NaN or infinite values' if broken[row] else 'is all zero'}"
        problems.append(Problem(where=path.name, row=int(row) + 1, what=what, action="marked missing"))
    return missing


def _with_scores(path: Path, corpus: Corpus, evaluations: Mapping[str, Evaluation], problems: list[Problem]) -> Corpus:
    """The corpus with IEMOCAP's human scores; contradictions by the evaluation are listed."""
    utterances = {}
    for row, utterance in enumerate(corpus.utterances(), start=1):
        evaluation = evaluations.get(utterance.utterance_id)
        if evaluation is None:
            what, action = f"{utterance.utterance_id} has no evaluation in the release", "kept without scores"
            problems.append(Problem(where=path.name, row=row, what=what, action=action))
            continue
        if evaluation.emotion != utterance.emotion:
            what = f"{utterance.utterance_id} is {utterance.emotion} here and {evaluation.label} in EmoEvaluation"
            problems.append(Problem(where=path.name, row=row, what=what, action="kept as in the pickle"))
        utterances[utterance.utterance_id] = replace(utterance, **evaluation.scores())
    return replace(
        corpus,
        dialogues=tuple(
            replace(
                dialogue,
                utterances=tuple(utterances.get(item.utterance_id, item) for item in dialogue.utterances),
            )
            for dialogue in corpus.dialogues
        ),
    )
