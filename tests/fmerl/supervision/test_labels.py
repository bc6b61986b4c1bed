"""Label sets: scores come back by id, what has none says why, and what is wrong is named by file and row."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fmerl.card import read_card
from fmerl.errors import InputError
from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, read_descriptions
from fmerl.supervision.labels import LabelSet, read_labels, write_labels

IDS = ("a", "b", "c")
NAN = float("nan")


def label_set() -> LabelSet:
    return LabelSet(
        utterance_ids=IDS,
        vad=np.array([[0, 2.5, 5], [NAN, NAN, NAN], [0.1, 1.7, 3.3]], dtype=np.float32),
        errors=(None, "no number in the answer", None),
        vad_range=(0, 5),
        descriptions=read_descriptions(DEFAULT_DESCRIPTIONS),
        card={"recipe": {"model": "judge"}, "cost": 0.5},
    )


def rewrite(folder: Path, **columns: Any) -> None:
    """Replace columns of the scores and leave the card as it is."""
    stored = pq.read_table(folder / "vad.parquet")
    named = {name: columns.get(name, stored[name]) for name in stored.column_names}
    pq.write_table(pa.table(named), folder / "vad.parquet")


def change_card(folder: Path, **fields: Any) -> None:
    card = {**json.loads((folder / "card.json").read_text()), **fields}
    present = {name: value for name, value in card.items() if value is not None}
    (folder / "card.json").write_text(json.dumps(present))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_labels(tmp_path, "meld", label_set())
    return tmp_path / "meld"


def read(folder: Path, ids: tuple[str, ...] = IDS, classes: tuple[str, ...] = ()) -> LabelSet:
    return read_labels(folder.parent, "meld", ids, classes)


def test_format_is_the_documented_one(folder: Path) -> None:
    stored = pq.read_table(folder / "vad.parquet")
    assert stored.column_names == ["utterance_id", "valence", "arousal", "dominance", "error"]
    assert stored["arousal"].to_pylist() == [2.5, None, pytest.approx(1.7)]
    assert stored["error"].to_pylist() == [None, "no number in the answer", None]
    card = read_card(folder)
    assert (card["kind"], card["vad_range"], card["cost"]) == ("labels", [0, 5], 0.5)


def test_rows_come_in_the_order_asked(folder: Path) -> None:
    whole, got = label_set(), read(folder, ("c", "b", "a"), ("joy", "happy"))
    assert got.utterance_ids == ("c", "b", "a")
    np.testing.assert_array_equal(got.vad, whole.vad[::-1])
    assert got.errors == whole.errors[::-1]
    assert got.labelled.tolist() == [True, False, True]
    assert got.vad_range == (0, 5)
    assert got.descriptions == whole.descriptions
    assert got.card["content_digest"] == whole.card["content_digest"]


def test_utterance_without_a_row_is_a_listed_one(folder: Path) -> None:
    got = read(folder, ("z", "a"))
    assert np.isnan(got.vad[0]).all()
    assert got.errors == ("no row in vad.parquet", None)
    assert got.labelled.sum() == 1


def test_digest_tells_scores_errors_range_and_descriptions() -> None:
    whole = label_set()
    order = [2, 0, 1]
    shuffled = LabelSet(
        utterance_ids=tuple(IDS[row] for row in order),
        vad=whole.vad[order],
        errors=tuple(whole.errors[row] for row in order),
        vad_range=(0.0, 5.0),
        descriptions=dict(reversed(whole.descriptions.items())),
        card={},
    )
    assert shuffled.card["content_digest"] == whole.card["content_digest"]
    others = [
        replace(whole, vad=whole.vad / np.float32(2), card={}),
        replace(whole, errors=(None, "timed out", None), card={}),
        replace(whole, vad_range=(0, 6), card={}),
        replace(whole, descriptions={"joy": whole.descriptions["joy"]}, card={}),
    ]
    assert len({labels.card["content_digest"] for labels in (whole, *others)}) == 5


def test_absent_set_names_those_at_hand(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no such label set \(at hand: meld\)"):
        read_labels(folder.parent, "iemocap", IDS)


def test_set_without_a_card_is_refused(folder: Path) -> None:
    (folder / "card.json").unlink()
    with pytest.raises(InputError, match="there is no card"):
        read(folder)


@pytest.mark.parametrize("vad_range", [None, [5, 0], [0], [0, 5, 10], "0-5", [0, "5"]])
def test_card_must_state_the_range(folder: Path, vad_range: Any) -> None:
    change_card(folder, vad_range=vad_range)
    with pytest.raises(InputError, match=r"card\.json: .*vad_range"):
        read(folder)


def test_class_without_a_description(folder: Path) -> None:
    with pytest.raises(InputError, match=r"descriptions\.json: no description of awe"):
        read(folder, classes=("joy", "awe"))


@pytest.mark.parametrize(
    ("columns", "row", "what"),
    [
        ({"valence": [0, None, 5.5]}, 4, r"valence '5\.5' is not a number from 0 to 5"),
        ({"dominance": [-0.1, None, 3]}, 2, r"dominance '-0\.1' is not"),
        ({"arousal": [1, None, None]}, 4, "arousal '' is not"),
        ({"arousal": ["1", None, "high"]}, 4, "arousal 'high' is not"),
        ({"arousal": [1, 2, 3]}, 3, "an error and a score"),
        ({"error": [None, None, None]}, 3, "valence '' is not"),
        ({"utterance_id": ["a", "b", "a"]}, 4, "'a' is empty or stands there twice"),
        ({"utterance_id": ["a", "b", None]}, 4, "'' is empty"),
    ],
)
def test_bad_rows_are_named(folder: Path, columns: dict[str, list[Any]], row: int, what: str) -> None:
    rewrite(folder, **{name: pa.array(values) for name, values in columns.items()})
    with pytest.raises(InputError, match=what) as caught:
        read(folder)
    assert caught.value.where == str(folder / "vad.parquet")
    assert caught.value.row == row


def test_absent_column_is_named(folder: Path) -> None:
    pq.write_table(pq.read_table(folder / "vad.parquet").drop_columns("arousal"), folder / "vad.parquet")
    with pytest.raises(InputError, match=r"vad\.parquet.*arousal"):
        read(folder)


def test_changed_content_is_refused(folder: Path) -> None:
    rewrite(folder, valence=pa.array([0, None, 0.2]))
    with pytest.raises(InputError, match="content_digest"):
        read(folder)
    write_labels(folder.parent, "meld", label_set())
    described = {**label_set().descriptions, "joy": label_set().descriptions["anger"]}
    (folder / "descriptions.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match="content_digest"):
        read(folder)


@pytest.mark.parametrize(
    ("row", "error"), [((1, 1, 6), None), ((1, NAN, 1), None), ((1, NAN, 1), "late"), ((1, 1, 1), "late")]
)
def test_bad_set_cannot_be_built(row: tuple[float, ...], error: str | None) -> None:
    vad = label_set().vad.copy()
    vad[2] = row
    with pytest.raises(InputError, match="label of c: scores"):
        replace(label_set(), vad=vad, errors=(None, "late", error))


def test_set_of_other_shapes_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="3 ids"):
        replace(label_set(), errors=(None, None))
    with pytest.raises(InputError, match="twice"):
        replace(label_set(), utterance_ids=("a", "b", "a"))
