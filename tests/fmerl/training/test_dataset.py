"""Slices of a corpus's arrays, and what zero-shot removes from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from fmerl.corpus.dialogue import SPLITS, Split
from fmerl.training.dataset import CONTEXT_ONLY, ConversationData

MakeData = Callable[..., ConversationData]
BY_ROW = ("utterance_id", "dialogue_id", "turn", "speaker_name", "speaker", "label", "vad")


def row_arrays(data: ConversationData) -> dict[str, np.ndarray]:
    named = {name: getattr(data, name) for name in BY_ROW}
    named |= {f"features {name}": values for name, values in data.features.items()}
    return named | {f"missing {name}": values for name, values in data.missing.items()}


def check(data: ConversationData) -> None:
    """Offsets, dialogue ids and every array agree."""
    rows = len(data.label)
    assert all(len(array) == rows for array in row_arrays(data).values())
    assert (data.offsets[0], data.offsets[-1]) == (0, rows)
    assert len(data.split) == len(data.offsets) - 1
    spans = [data.dialogue_id[a:b] for a, b in zip(data.offsets[:-1], data.offsets[1:], strict=True)]
    assert all(len(set(span)) == 1 for span in spans)
    assert len({span[0] for span in spans}) == len(spans)


@pytest.mark.parametrize(
    "splits", [("train",), ("validation",), ("test",), ("train", "validation"), ("test", "validation"), SPLITS]
)
def test_subset_is_a_view_of_whole_dialogues(make_data: MakeData, splits: tuple[Split, ...]) -> None:
    data = make_data()
    part = data.subset(*splits)
    check(part)
    inside = np.repeat(np.isin(data.split, [SPLITS.index(split) for split in splits]), np.diff(data.offsets))
    for (name, whole), taken in zip(row_arrays(data).items(), row_arrays(part).values(), strict=True):
        np.testing.assert_array_equal(taken, whole[inside], err_msg=name)
        assert np.shares_memory(taken, whole), name
    assert {SPLITS[split] for split in part.split} == set(splits)


def test_splits_that_are_not_neighbours_are_refused(make_data: MakeData) -> None:
    with pytest.raises(ValueError, match="not neighbours"):
        make_data().subset("train", "test")


def test_a_split_without_dialogues_is_refused_in_words(make_data: MakeData) -> None:
    with pytest.raises(ValueError, match="validation"):
        make_data(((2, 3), (), (1,))).subset("validation")


def test_widths(make_data: MakeData) -> None:
    assert make_data().widths(("visual", "text")) == {"visual": 3, "text": 7}


def test_without_classes_as_context_hides_labels_and_scores_only(make_data: MakeData) -> None:
    data = make_data()
    hidden = data.without_classes(("class 1", "class 3"), "context")
    check(hidden)
    unseen = np.isin(data.label, [1, 3])
    assert unseen.any()
    assert (hidden.label[unseen] == CONTEXT_ONLY).all()
    assert np.isnan(hidden.vad[unseen]).all()
    np.testing.assert_array_equal(hidden.label[~unseen], data.label[~unseen])
    np.testing.assert_array_equal(hidden.vad[~unseen], data.vad[~unseen])
    assert hidden.classes == data.classes, "they remain candidates of the prediction"
    assert hidden.vad.dtype == np.float32
    assert hidden.features is data.features


def test_without_classes_deleted_removes_their_utterances(make_data: MakeData) -> None:
    data = make_data(((4, 1, 6, 1, 1, 1, 1), (3, 3), (2,)), context_only=0.0)
    deleted = data.without_classes(("class 1", "class 3"), "deleted")
    check(deleted)
    kept = ~np.isin(data.label, [1, 3])
    for (name, whole), left in zip(row_arrays(data).items(), row_arrays(deleted).values(), strict=True):
        np.testing.assert_array_equal(left, whole[kept], err_msg=name)
    assert len(deleted.split) < len(data.split), "a dialogue of one unseen utterance is gone"
    for dialogue in np.unique(deleted.dialogue_id):
        (split,) = set(np.repeat(deleted.split, np.diff(deleted.offsets))[deleted.dialogue_id == dialogue])
        assert split == np.repeat(data.split, np.diff(data.offsets))[data.dialogue_id == dialogue][0]


@pytest.mark.parametrize("how", ["context", "deleted"])
def test_without_no_class_nothing_changes(make_data: MakeData, how: Literal["context", "deleted"]) -> None:
    data = make_data()
    assert data.without_classes((), how) is data


def test_original_arrays_stay_as_they_are(make_data: MakeData) -> None:
    data = make_data()
    before = {name: array.copy() for name, array in row_arrays(data).items()}
    for array in row_arrays(data).values():
        array.flags.writeable = False
    data.subset("train").without_classes(("class 0",), "context")
    data.subset("train").without_classes(("class 0",), "deleted")
    for name, array in row_arrays(data).items():
        np.testing.assert_array_equal(array, before[name])
