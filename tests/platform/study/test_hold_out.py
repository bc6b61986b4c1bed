"""Which classes are held out of which corpus, and which seen one stands in for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.synthetic import MELD_SHAPE, generate
from fmerl.training.dataset import ConversationData
from fmerl_platform.studies.zero_shot.pseudo_unseen import pseudo_unseen_class
from fmerl_platform.study.hold_out import HoldOut


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return generate(replace(MELD_SHAPE, scale=0.1)).corpus


def test_the_corpus_says_what_is_unseen_unless_the_command_does(corpus: Corpus) -> None:
    assert HoldOut().of(corpus) == ("fear",)
    assert HoldOut(classes=("joy", "surprise")).of(corpus) == ("surprise", "joy"), "in label order"
    assert HoldOut(classes=("synthetic-meld=anger",)).of(corpus) == ("anger",)
    assert HoldOut(classes=("other=hap",)).of(corpus) == ("fear",)
    assert HoldOut(classes=("other=hap", "anger")).of(corpus) == ("anger",)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("bliss",), "--unseen bliss: no class of synthetic-meld; name one of neutral"),
        (("neutral", "surprise", "fear", "sadness", "joy", "disgust"), "fewer than two classes"),
    ],
)
def test_what_cannot_be_held_out_is_refused(corpus: Corpus, classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HoldOut(classes=classes).of(corpus)


def test_a_class_that_test_lacks_cannot_be_scored(corpus: Corpus) -> None:
    training = replace(corpus, dialogues=tuple(item for item in corpus.dialogues if item.split != "test"))
    with pytest.raises(InputError, match="no test utterance of synthetic-meld has it"):
        HoldOut().of(training)


def test_a_corpus_without_an_unseen_class_asks_for_one(corpus: Corpus) -> None:
    with pytest.raises(InputError, match="--unseen"):
        HoldOut().of(replace(corpus, unseen_class=None))


def test_a_class_of_no_corpus_of_the_study_is_refused() -> None:
    HoldOut(classes=("meld=fear", "joy")).check(["meld"])
    with pytest.raises(InputError, match="no corpus of this study is called mled"):
        HoldOut(classes=("mled=fear",)).check(["meld"])


def labelled(train: list[int], validation: list[int]) -> ConversationData:
    """One dialogue of train and one of validation, with these labels."""
    label = np.array([*train, *validation])
    rows = len(label)
    return ConversationData(
        corpus="c",
        classes=("a", "b", "c", "d", "e"),
        vad_range=(0.0, 5.0),
        n_speakers=1,
        utterance_id=np.array([f"u{row}" for row in range(rows)]),
        dialogue_id=np.repeat(["train", "validation"], [len(train), len(validation)]),
        turn=np.arange(rows),
        speaker_name=np.full(rows, "s"),
        speaker=np.zeros(rows, dtype=np.int64),
        label=label,
        vad=np.full((rows, 3), np.nan, dtype=np.float32),
        offsets=np.array([0, len(train), rows]),
        split=np.array([0, 1], dtype=np.int8),
        features={},
        missing={},
        digests={},
    )


def test_the_stand_in_is_the_seen_class_of_median_frequency() -> None:
    train = [0] * 9 + [1] * 7 + [2] * 5 + [3] * 3 + [4] * 1
    validation = [0, 1, 2, 3, 4]
    assert pseudo_unseen_class(labelled(train, validation), ["a"]) == "d", "of 7, 5, 3, 1 the rarer middle one"
    assert pseudo_unseen_class(labelled(train, validation), ["e"]) == "c"
    assert pseudo_unseen_class(labelled(train, [0, 1, 2, 4]), ["a"]) == "c", "it must occur in validation"


def test_the_stand_in_follows_from_seen_labels_alone() -> None:
    train = [0] * 9 + [1] * 7 + [2] * 5 + [3] * 3 + [4] * 1 + [-1] * 4
    for unseen in (["a"], ["c"], ["b", "d"]):
        held_out = [ord(name) - ord("a") for name in unseen]
        chosen = pseudo_unseen_class(labelled(train, [0, 1, 2, 3, 4]), unseen)
        for other in (-1, held_out[0]):
            hidden = [other if label in held_out else label for label in train]
            more = [*hidden, *[held_out[-1]] * 50]
            for changed in (hidden, more):
                assert pseudo_unseen_class(labelled(changed, [0, 1, 2, 3, 4]), unseen) == chosen


def test_too_few_seen_classes_to_spare_one() -> None:
    with pytest.raises(InputError, match="only 2 seen classes"):
        pseudo_unseen_class(labelled([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]), ["a", "b", "c"])
