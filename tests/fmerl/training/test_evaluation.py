"""Scores the field reports, and the ledger's rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from fmerl.config import CellConfig
from fmerl.model import System
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData
from fmerl.training.evaluation import Predictions, classification_scores, predict, prediction_table
from fmerl.training.loop import build_model

MakeData = Callable[..., ConversationData]
CPU = torch.device("cpu")


def by_hand(gold: list[int], predicted: list[int], n_classes: int) -> dict[str, float]:
    """Counts and the definitions of precision and recall, class by class."""
    f1 = []
    for c in range(n_classes):
        hits = sum(g == p == c for g, p in zip(gold, predicted, strict=True))
        wrong = gold.count(c) + predicted.count(c) - 2 * hits
        f1.append(2 * hits / (2 * hits + wrong) if hits else 0.0)
    present = [c for c in range(n_classes) if c in gold]
    return {
        "weighted_f1": sum(f1[c] * gold.count(c) for c in present) / len(gold),
        "accuracy": sum(g == p for g, p in zip(gold, predicted, strict=True)) / len(gold),
        "macro_f1": sum(f1[c] for c in present) / len(present),
    }


@given(data=st.data(), n_classes=st.integers(2, 6))
def test_scores_equal_their_definitions(data: st.DataObject, n_classes: int) -> None:
    pairs = data.draw(st.lists(st.tuples(*[st.integers(0, n_classes - 1)] * 2), min_size=1, max_size=30))
    gold, predicted = (list(column) for column in zip(*pairs, strict=True))
    scores = classification_scores(np.array(gold), np.array(predicted), n_classes)
    assert scores == pytest.approx(by_hand(gold, predicted, n_classes))
    assert scores["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    assert scores["weighted_f1"] == pytest.approx(f1_score(gold, predicted, average="weighted", zero_division=0))


def test_known_cases() -> None:
    # MELD's test set, always neutral: the field's floor (accuracy 48.12, weighted F1 31.27).
    gold = np.repeat(np.arange(7), [1256, 281, 50, 208, 402, 68, 345])
    scores = classification_scores(gold, np.zeros_like(gold), 7)
    assert scores["accuracy"] == pytest.approx(0.4812, abs=5e-5)
    assert scores["weighted_f1"] == pytest.approx(0.3127, abs=5e-5)
    assert scores["macro_f1"] == pytest.approx(scores["weighted_f1"] / scores["accuracy"] / 7)
    perfect = classification_scores(gold, gold, 7)
    assert perfect == {"weighted_f1": 1.0, "accuracy": 1.0, "macro_f1": 1.0}


def test_rows_without_a_target_and_absent_classes_do_not_count() -> None:
    gold, predicted = np.array([0, 1, -1, 1, -1]), np.array([0, 1, 2, 3, 0])
    assert classification_scores(gold, predicted, 5) == classification_scores(gold[[0, 1, 3]], predicted[[0, 1, 3]], 5)
    assert classification_scores(np.array([1, 1]), np.array([1, 1]), 9)["macro_f1"] == 1.0


def model_for(data: ConversationData, config: CellConfig, anchors: np.ndarray) -> System:
    with torch.random.fork_rng():
        return build_model(config, data, anchors, seed=0)


def test_predictions_stand_in_the_rows_own_order(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data = make_data()
    model = model_for(data, tiny, anchors).train()
    whole = predict(model, BatchLoader(data, tiny.tables, tiny.training, CPU))
    assert not model.training
    assert whole.scores.shape == (len(data.label), 4)
    np.testing.assert_array_equal(whole.predicted, whole.scores.argmax(1))
    for split in ("train", "validation", "test"):
        part = predict(model, BatchLoader(data.subset(split), tiny.tables, tiny.training, CPU))
        inside = np.repeat(data.split, np.diff(data.offsets)) == ("train", "validation", "test").index(split)
        np.testing.assert_allclose(part.scores, whole.scores[inside], atol=1e-5)
        np.testing.assert_allclose(part.vad, whole.vad[inside], atol=1e-5)
    assert ((whole.vad > 0) & (whole.vad < 5)).all(), "scores are in the labels' range"


def test_prediction_table_is_the_ledgers_contract(make_data: MakeData) -> None:
    data = make_data().subset("validation", "test")
    draw = np.random.default_rng(0)
    rows = len(data.label)
    vad = draw.uniform(0, 5, size=(rows, 3)).astype(np.float32)
    vad[:, 1] = np.nan  # no arousal net
    predictions = Predictions(draw.normal(size=(rows, 4)).astype(np.float32), vad)
    table = prediction_table(data, predictions)
    assert table.schema == pa.schema(
        [
            ("utterance_id", pa.string()),
            ("dialogue_id", pa.string()),
            ("turn", pa.int64()),
            ("speaker", pa.string()),
            ("split", pa.string()),
            ("gold", pa.string()),
            ("predicted", pa.string()),
            ("scores", pa.list_(pa.float32())),
            ("valence", pa.float32()),
            ("arousal", pa.float32()),
            ("dominance", pa.float32()),
        ]
    )
    table.validate(full=True)
    columns = table.to_pydict()
    assert columns["utterance_id"] == data.utterance_id.tolist()
    assert columns["dialogue_id"] == data.dialogue_id.tolist()
    assert columns["turn"] == data.turn.tolist()
    assert columns["speaker"] == data.speaker_name.tolist()
    assert columns["split"] == ["validation"] * 11 + ["test"] * 13
    assert columns["gold"] == [None if label < 0 else data.classes[label] for label in data.label]
    assert None in columns["gold"]
    assert columns["predicted"] == [data.classes[c] for c in predictions.predicted]
    np.testing.assert_array_equal(np.array(columns["scores"], dtype=np.float32), predictions.scores)
    np.testing.assert_array_equal(np.array(columns["valence"], dtype=np.float32), vad[:, 0])
    assert columns["arousal"] == [None] * rows


def test_a_table_survives_parquet(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data().subset("test")
    rows = len(data.label)
    table = prediction_table(data, Predictions(np.zeros((rows, 4), "f"), np.full((rows, 3), np.nan, "f")))
    pq.write_table(table, tmp_path / "predictions.parquet")
    again = pq.read_table(tmp_path / "predictions.parquet")
    assert again.to_pydict() == table.to_pydict()


def test_a_dimension_without_a_net_is_null(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data = make_data().subset("test")
    config = tiny.changed(regression__dimensions=("dominance",))
    loader = BatchLoader(data, config.tables, config.training, CPU)
    table = prediction_table(data, predict(model_for(data, config, anchors), loader))
    assert table["valence"].null_count == table["arousal"].null_count == len(table)
    assert table["dominance"].null_count == 0


def test_scores_without_any_target_say_so() -> None:
    with pytest.raises(ValueError, match="target"):
        classification_scores(np.array([-1, -1]), np.array([0, 1]), 4)
