"""A fold's data: whole dialogues in other splits, and no bit of what is tested in what is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from fmerl.config import CellConfig
from fmerl.corpus.dialogue import SPLITS, Split
from fmerl.errors import InputError
from fmerl.folds.data import check_folds, fold_data
from fmerl.folds.splits import Fold
from fmerl.training.cell import CellResult, train_cell
from fmerl.training.dataset import CONTEXT_ONLY, ConversationData

MakeData = Callable[..., ConversationData]
_IN_TURN: tuple[Split, ...] = ("test", "train", "validation", "train")
SPLIT = {f"d{number}": _IN_TURN[number % 4] for number in range(15)}
FOLD = Fold(name="1", split=SPLIT)


@pytest.fixture
def data(make_data: MakeData) -> ConversationData:
    return replace(make_data(), digests={"corpus": "c", "vad": "v"})


def test_the_rows_are_the_same_in_other_splits(data: ConversationData) -> None:
    moved = fold_data(data, FOLD)
    assert sorted(moved.utterance_id) == sorted(data.utterance_id)
    assert (np.diff(moved.split) >= 0).all()
    place = {name: row for row, name in enumerate(data.utterance_id)}
    rows = np.array([place[name] for name in moved.utterance_id])
    for name in ("dialogue_id", "turn", "speaker_name", "speaker", "label", "vad"):
        np.testing.assert_array_equal(getattr(moved, name), getattr(data, name)[rows], err_msg=name)
    for modality in data.features:
        np.testing.assert_array_equal(moved.features[modality], data.features[modality][rows])
        np.testing.assert_array_equal(moved.missing[modality], data.missing[modality][rows])
    for split in SPLITS:
        part = moved.subset(split)
        assert {SPLIT[name] for name in part.dialogue_id} == {split}
        assert (np.diff(part.turn)[part.dialogue_id[1:] == part.dialogue_id[:-1]] > 0).all()


def test_the_digest_follows_the_splits_and_not_the_name(data: ConversationData) -> None:
    assert fold_data(data, FOLD).digests == fold_data(data, replace(FOLD, name="other")).digests
    other = replace(FOLD, split={**SPLIT, "d1": "validation"})
    digests = [fold_data(data, fold).digests["corpus"] for fold in (FOLD, other, replace(FOLD, speaker="speaker 0"))]
    assert len({*digests, "c"}) == 4
    assert fold_data(data, FOLD).digests["vad"] == "v"


def test_of_a_left_out_speaker_the_others_in_test_are_context(data: ConversationData) -> None:
    plain, moved = fold_data(data, FOLD), fold_data(data, replace(FOLD, speaker="speaker 1"))
    test = np.repeat(moved.split == 2, np.diff(moved.offsets))
    others = test & (moved.speaker_name != "speaker 1")
    assert (moved.label[others] == CONTEXT_ONLY).all()
    np.testing.assert_array_equal(moved.label[~others], plain.label[~others])


def test_a_fold_without_scores_in_train_is_refused(data: ConversationData) -> None:
    check_folds(data, [FOLD])
    in_train = np.isin(data.dialogue_id, [name for name, split in SPLIT.items() if split == "train"])
    vad = data.vad.copy()
    vad[in_train, 1] = np.nan
    with pytest.raises(InputError, match="fold 1 of made-up: no arousal score in train"):
        check_folds(replace(data, vad=vad), [FOLD])


SETTINGS = [
    {
        "backbone__standardize": ("text", "audio", "visual"),
        "contrastive__center_anchors": True,
        "contrastive__class_weights": "inverse_frequency",
    },
    {"system__name": "SDT"},
    {"system__name": "majority"},
]


@pytest.mark.parametrize("changes", SETTINGS, ids=["FMERL", "SDT", "majority"])
def test_nothing_that_a_fold_tests_reaches_its_cells(
    data: ConversationData, tiny: CellConfig, anchors: np.ndarray, changes: dict[str, object]
) -> None:
    """Everything about the tested dialogues is planted anew; weights and history must stay the same bits."""
    config = tiny.changed(**changes)
    tested = np.isin(data.dialogue_id, [name for name, split in SPLIT.items() if split == "test"])
    draw = np.random.default_rng(3)
    planted = replace(
        data,
        n_speakers=9,
        label=np.where(tested, draw.permutation(data.label), data.label),
        vad=np.where(tested[:, None], np.float32(4.9), data.vad),
        speaker=np.where(tested, 8, data.speaker),
        features={
            name: np.where(tested[:, None], np.float32(50) * values + 7, values).astype(np.float32)
            for name, values in data.features.items()
        },
    )
    plain, other = (_trained(config, fold_data(each, FOLD), anchors) for each in (data, planted))
    assert plain[0] == other[0]
    for name, value in plain[1].weights.items():
        assert torch.equal(value, other[1].weights[name]), name
    test = plain[1].predictions.filter(plain[1].predictions["utterance_id"].is_valid())
    assert {SPLIT[name] for name in test["dialogue_id"].to_pylist()} == {"validation", "test"}


def _trained(config: CellConfig, data: ConversationData, anchors: np.ndarray) -> tuple[list[object], CellResult]:
    history: list[object] = []
    result = train_cell(
        config, data, anchors, 0, on_epoch=lambda _, metrics: history.append(metrics), device=torch.device("cpu")
    )
    return history, result
