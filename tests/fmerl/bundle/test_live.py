"""Live conversations: each turn as the whole conversation has it, and what cannot be live is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from helpers.text_cells import TextCells, train_text_cells

from fmerl.bundle.folder import read_bundle
from fmerl.bundle.live import LiveConversation
from fmerl.bundle.model import Bundle
from fmerl.bundle.predictor import Predictor, predict_records
from fmerl.corpus.conversations import pieces, turns_of
from fmerl.errors import InputError
from fmerl.features.store import FeatureTable
from fmerl.model.batch import Batch

TALK = [
    ("Ana", "what a day !"),
    ("Ben", "leave me alone"),
    ("Ana", " "),
    ("Cem", "oh my god"),
    ("Dot", "what a day"),
    ("Ben", "alone , oh my"),
]


@pytest.fixture(scope="session")
def past_cells(tmp_path_factory: pytest.TempPathFactory) -> TextCells:
    """Two seeds of FMERL on text and sound that attend to the past; their text encoder reads two earlier turns."""
    home = tmp_path_factory.mktemp("past")
    return train_text_cells(home, context=2, sound=True, backbone__attention="past", training__epochs=1)


@pytest.fixture
def predictor(past_cells: TextCells) -> Predictor:
    return Predictor(read_bundle(past_cells.bundle), device="cpu")


def records(talk: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"speaker": speaker, "text": text} for speaker, text in talk]


def assert_same(found: Sequence[dict[str, Any]], wanted: Sequence[dict[str, Any]]) -> None:
    """Rows with equal names, and equal numbers to 1e-5."""
    assert len(found) == len(wanted)
    for row, other in zip(found, wanted, strict=True):
        assert list(row) == list(other)
        assert {key: value for key, value in row.items() if not isinstance(value, float)} == {
            key: value for key, value in other.items() if not isinstance(value, float)
        }
        numbers = [key for key, value in row.items() if isinstance(value, float)]
        np.testing.assert_allclose([row[key] for key in numbers], [other[key] for key in numbers], atol=1e-5)
        assert len(numbers) == 8, "three classes, three dimensions, agreement and deviation"


def test_every_turn_is_that_of_the_whole_conversation(predictor: Predictor) -> None:
    wanted = predict_records(predictor, records(TALK)).to_pylist()
    talk = LiveConversation(predictor)
    assert_same([talk.turn(*turn) for turn in TALK], wanted)
    assert talk.turns == len(TALK)
    assert [row["missing"] for row in wanted][2] == "text audio"
    cut = predict_records(predictor, records(TALK[:3])).to_pylist()
    assert_same(wanted[:3], cut)


def test_conversations_share_a_predictor_and_nothing_else(predictor: Predictor) -> None:
    one, other = LiveConversation(predictor), LiveConversation(predictor)
    mixed = [(one.turn(*turn), other.turn(*back)) for turn, back in zip(TALK, reversed(TALK), strict=True)]
    assert_same([row for row, _ in mixed], predict_records(predictor, records(TALK)).to_pylist())
    assert_same([row for _, row in mixed], predict_records(predictor, records(TALK[::-1])).to_pylist())


def test_features_at_hand_are_those_of_the_whole_conversation(predictor: Predictor) -> None:
    widths = predictor.bundle.manifest.widths
    draw = np.random.default_rng(0)
    vectors = {name: draw.normal(size=(len(TALK), width)).astype(np.float32) for name, width in widths.items()}
    silent = np.arange(len(TALK)) == 3
    vectors["audio"][silent] = 0
    ((utterances),) = pieces(turns_of(records(TALK)), (1.0, 5.0))
    ids = tuple(each.utterance_id for each in utterances)
    absent = {"text": np.zeros(len(TALK), dtype=np.bool_), "audio": silent}
    tables = [FeatureTable(name, ids, vectors[name], absent[name], {}) for name in widths]
    talk = LiveConversation(predictor)
    found = []
    for row, turn in enumerate(TALK):
        given = {name: vectors[name][row].tolist() for name in widths if not absent[name][row]}
        found.append(talk.turn(*turn, features=given))
    assert_same(found, predictor.predict_features(utterances, tables).to_pylist())


def test_a_turn_that_fails_was_not_spoken(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = LiveConversation(predictor)
    found = [talk.turn(*TALK[0])]

    def interrupted(batch: Batch) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(predictor.bundle.models[1], "forward", interrupted)
        with pytest.raises(KeyboardInterrupt):  # when the first model has read the turn already
            talk.turn("Zoe", "oh my god")
    with pytest.raises(InputError, match=r"conversation, row 2: .*mood"):
        talk.turn("Zoe", "oh", mood="glad")
    found += [talk.turn(*turn) for turn in TALK[1:]]
    assert_same(found, predict_records(predictor, records(TALK)).to_pylist())


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"text": [1.0, 2.0]}, "text features, row 1: .* a vector of"),
        ({"audio": [1.0, float("nan"), 0.0]}, "audio features, row 1"),
        ({"audio": ["a", "b", "c"]}, "audio features, row 1"),
        ({"smell": [1.0]}, "features, row 1: the models read no smell; give text and audio"),
    ],
)
def test_features_that_do_not_fit_are_refused(predictor: Predictor, features: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        LiveConversation(predictor).turn("Ana", "oh", features=features)


def test_media_that_cannot_be_read_by_the_recipe_are_refused_by_name(predictor: Predictor) -> None:
    with pytest.raises(InputError, match="audio features of the bundle"):
        LiveConversation(predictor).turn("Ana", "oh", audio_path="a.wav")


def test_a_conversation_ends_at_its_longest(predictor: Predictor) -> None:
    talk = LiveConversation(predictor, longest=2)
    rows = [talk.turn(*turn) for turn in TALK[:2]]
    with pytest.raises(InputError, match="it has 2 turns, the most that are kept; begin another one"):
        talk.turn(*TALK[2])
    assert len(rows) == talk.turns == 2


def test_models_and_encoders_that_read_later_turns_are_refused(cells: TextCells, past_cells: TextCells) -> None:
    with pytest.raises(InputError, match=r"later turns too; train with --set backbone\.attention=past"):
        LiveConversation(Predictor(read_bundle(cells.bundle)))
    bundle = read_bundle(past_cells.bundle)
    both = {"encoder": "x", "tuned": "d", "input": {"input": "both", "context_turns": 3}}
    manifest = replace(bundle.manifest, recipes={**bundle.manifest.recipes, "text": both})
    tuned = Bundle(manifest, bundle.models, bundle.anchors, bundle.centre)
    with pytest.raises(InputError, match="text features of the bundle: their encoder reads later turns too"):
        LiveConversation(Predictor(tuned))


def test_classes_in_words_are_live_too(predictor: Predictor) -> None:
    bundle = predictor.bundle
    anchors = torch.cat([bundle.anchors, torch.randn(1, bundle.anchors.shape[1])])
    wider = bundle.with_anchors([*bundle.classes, "pride"], [*bundle.manifest.anchor_texts, "pride"], anchors)
    other = predictor.of(wider)
    talk = LiveConversation(other)
    found = [talk.turn(*turn)["pride"] for turn in TALK]
    wanted = predict_records(other, records(TALK))["pride"].to_pylist()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
