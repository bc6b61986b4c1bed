"""IEMOCAP's raw release (Busso et al. 2008), six-way: every utterance without a target and everything odd is listed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from fmerl.corpus.dialogue import Corpus, Dialogue, Problem, Utterance
from fmerl.corpus.readers.iemocap import ids as iemocap_ids
from fmerl.corpus.readers.iemocap.evaluation import Evaluation, read_evaluations
from fmerl.corpus.readers.iemocap.media import find_media
from fmerl.corpus.readers.iemocap.transcription import read_transcriptions
from fmerl.errors import InputError

Protocol = Literal["raw-7380", "standard-7433"]

TARGETS: Mapping[Protocol, int] = {"raw-7380": 7_380, "standard-7433": 7_433}
"""Number of targets in the whole release by protocol."""

_NO_MAJORITY = "xxx"


def read_iemocap(
    folder: Path,
    protocol: Protocol = "raw-7380",
    *,
    ids: Collection[str] | None = None,
    validation: Collection[str] = iemocap_ids.COSMIC_VALIDATION,
    keep_context: bool = True,
) -> tuple[Corpus, list[Problem]]:
    """Read IEMOCAP's six-way task from its raw release.

    Majority labels other than the six (`xxx`, `sur`, `fea`, `oth`, `dis`) are no targets; excited stays apart from
    happy. Utterances are ordered by the time they begin at. Session 5 is the test split.

    Args:
        folder: `IEMOCAP_full_release`.
        protocol: `raw-7380` takes the majority labels, which give 7,380 targets. `standard-7433`, the set of the
            published features, adds 53 utterances without a majority as happy.
        ids: Ids of those utterances, or of all 7,433. Needed for, and only for, `standard-7433`.
        validation: Dialogues of sessions 1 to 4 that are held out.
        keep_context: Keep utterances without a target as context, or delete them.

    Returns:
        The corpus, with scores 1 to 5 and absolute media paths, and the odd rows.

    Raises:
        InputError: A folder that is no release, ids that are missing or not wanted, a validation dialogue that is
            not there, an utterance with two different evaluations or transcriptions.
    """
    if (protocol == "standard-7433") != (ids is not None):
        remedy = "give the 53 ids, or the feature pickle that holds all 7,433" if ids is None else "leave the ids out"
        raise InputError(protocol, "this protocol " + ("needs an" if ids is None else "takes no") + " id list", remedy)
    root, problems = folder.resolve(), list[Problem]()
    evaluations = read_evaluations(root, problems)
    training = [name for name in evaluations if iemocap_ids.session_of(name) != iemocap_ids.TEST_SESSION]
    iemocap_ids.check_validation(str(folder), validation, training)
    texts = read_transcriptions(root, evaluations, problems)
    media = find_media(root, evaluations, problems)
    emotions = _emotions(evaluations, ids or (), "kept as context" if keep_context else "left out", problems)
    if len(emotions) != TARGETS[protocol]:
        what = f"{len(emotions)} targets, the whole release has {TARGETS[protocol]}"
        problems.append(Problem(where=protocol, row=0, what=what, action="kept", on_screen=True))
    dialogues = []
    for name, items in evaluations.items():
        _note_order(items, problems)
        utterances = []
        for turn, item in enumerate(sorted(items, key=lambda item: item.start)):
            if item.utterance_id not in emotions and not keep_context:
                continue
            gender = iemocap_ids.gender_of(item.utterance_id, name)
            assert gender is not None, "read_evaluations leaves out ids of other dialogues"
            utterances.append(
                Utterance(
                    utterance_id=item.utterance_id,
                    dialogue_id=name,
                    turn=turn,
                    speaker=iemocap_ids.speaker_name(name, gender),
                    text=_text(item, texts, problems),
                    emotion=emotions.get(item.utterance_id),
                    split=iemocap_ids.split_of(name, validation),
                    **item.scores(),
                    **media[item.utterance_id],
                )
            )
        if utterances:
            dialogues.append(Dialogue(dialogue_id=name, utterances=tuple(utterances)))
    corpus = Corpus(
        name=iemocap_ids.NAME,
        classes=iemocap_ids.CLASSES,
        vad_range=iemocap_ids.VAD_RANGE,
        dialogues=tuple(dialogues),
        unseen_class=iemocap_ids.UNSEEN_CLASS,
    )
    return corpus, problems


def _emotions(
    evaluations: Mapping[str, list[Evaluation]], ids: Collection[str], action: str, problems: list[Problem]
) -> dict[str, str]:
    """Targets by utterance id; utterances without one, or with one from the id list alone, are listed."""
    emotions = {}
    unused = set(ids)
    for item in (item for items in evaluations.values() for item in items):
        listed = item.utterance_id in unused
        unused.discard(item.utterance_id)
        if item.emotion is not None:
            emotions[item.utterance_id] = item.emotion
            continue
        what, done = f"{item.utterance_id} is labelled {item.label}, none of the six", action
        if listed:
            what += ", and in the id list"
        if listed and item.label == _NO_MAJORITY:
            done = emotions[item.utterance_id] = iemocap_ids.LABELS["hap"]
        problems.append(Problem(where=item.where, row=item.row, what=what, action=done))
    for name in sorted(unused):
        problems.append(Problem(where="id list", row=0, what=f"{name} is not in the release", action="ignored"))
    return emotions


def _text(item: Evaluation, texts: Mapping[str, str], problems: list[Problem]) -> str:
    text = texts.get(item.utterance_id, "")
    if not text:
        what = f"{item.utterance_id} has no transcription, or an empty one"
        problems.append(Problem(where=item.where, row=item.row, what=what, action="kept with an empty text"))
    return text


def _note_order(items: list[Evaluation], problems: list[Problem]) -> None:
    """Note one problem per dialogue, at the first row concerned."""
    for item, before in zip(items[1:], items, strict=False):
        if item.start < before.start:
            what = f"out of order from {item.utterance_id} on"
            problems.append(Problem(where=item.where, row=item.row, what=what, action="sorted by time"))
            return
