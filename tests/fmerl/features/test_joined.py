"""Several tables of a modality side by side, and encoders likewise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fmerl.card import recipe_digest
from fmerl.errors import InputError
from fmerl.features.encoder import Encoded, Item, parts_of, reads_later_turns
from fmerl.features.joined import JoinedEncoder, JoinedSpec, encoders_told, read_joined
from fmerl.features.store import FeatureTable, feature_writer, read_features
from fmerl.features.table_names import check_name, parse_tables, table_name

IDS = ("a", "b", "c", "d")


def write(root: Path, name: str, width: int, missing: tuple[int, ...] = (), **card: Any) -> FeatureTable:
    """A table of four rows."""
    values = np.random.default_rng(width).normal(size=(4, width)).astype(np.float32)
    absent = np.isin(np.arange(4), missing)
    values[absent] = 0
    fields = {"recipe": {"encoder": f"of {width}"}, "supervised_on_labels": False, **card}
    with feature_writer(root, "talk", table_name("text", name), fields) as writer:
        writer.append(IDS, values, absent)
    return read_features(root, "talk", "text", IDS, name)


def test_vectors_stand_side_by_side_by_utterance(tmp_path: Path) -> None:
    plain, bert = write(tmp_path, "", 3, missing=(1,)), write(tmp_path, "bert", 2, missing=(2,))
    assert sorted(path.name for path in (tmp_path / "talk").iterdir()) == ["text", "text-bert"]
    joined = read_joined(tmp_path, "talk", "text", ("d", "a", "b", "c"), ("bert", "text"))
    assert joined.modality == "text"
    assert joined.missing.tolist() == [False, False, True, True]
    np.testing.assert_array_equal(joined.values[0], [*bert.values[3], *plain.values[3]])
    np.testing.assert_array_equal(joined.values[2:], 0)
    assert joined.card["recipe"] == {"joined": [["bert", {"encoder": "of 2"}], ["text", {"encoder": "of 3"}]]}
    assert encoders_told(joined.card["recipe"]) == "of 2 + of 3"
    other = read_joined(tmp_path, "talk", "text", IDS, ("text", "bert"))
    assert joined.card["content_digest"] != other.card["content_digest"], "columns stand elsewhere"
    recipe_digest(joined.card["recipe"])


def test_one_table_by_its_name_is_that_table(tmp_path: Path) -> None:
    bert = write(tmp_path, "bert", 2)
    found = read_joined(tmp_path, "talk", "text", IDS, ("bert",))
    np.testing.assert_array_equal(found.values, bert.values)
    assert found.card["content_digest"] == bert.card["content_digest"]
    assert parts_of(found.card["recipe"]) == [("bert", {"encoder": "of 2"})]
    with pytest.raises(InputError, match=r"text-gpt: no such feature table \(at hand: text-bert\)"):
        read_joined(tmp_path, "talk", "text", IDS, ("bert", "gpt"))


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        (({}, {}), {"supervised_on_labels": False}),
        (({}, {"supervised_on_labels": True}), {"supervised_on_labels": True}),
        (
            ({}, {"supervised_on_labels": True, "labels_seen": {"classes": ["joy"]}}),
            {"supervised_on_labels": True, "labels_seen": {"classes": ["joy"]}},
        ),
        (
            tuple({"supervised_on_labels": True, "labels_seen": {"classes": [name]}} for name in ("joy", "anger")),
            {"supervised_on_labels": True, "labels_seen": {"classes": ["anger", "joy"]}},
        ),
        (
            ({"supervised_on_labels": True, "labels_seen": {"classes": ["joy"]}}, {"supervised_on_labels": True}),
            {"supervised_on_labels": True},
        ),
    ],
)
def test_labels_that_any_part_has_seen_count(
    tmp_path: Path, cards: tuple[dict[str, Any], ...], expected: dict[str, Any]
) -> None:
    for number, card in enumerate(cards):
        write(tmp_path, f"t{number}", 2, **card)
    card = read_joined(tmp_path, "talk", "text", IDS, ("t0", "t1")).card
    assert {name: card[name] for name in card if name not in ("recipe", "content_digest")} == expected


def test_later_turns_of_any_part_count() -> None:
    both = {"encoder": "x", "input": {"input": "both"}}
    assert reads_later_turns({"joined": [["a", {"encoder": "y"}], ["b", both]]})
    assert not reads_later_turns({"joined": [["a", {"encoder": "y"}]]})


class Fixed:
    """An encoder of ones, for which texts of certain words are missing."""

    modality, columns, uses_gpu = "text", None, False

    def __init__(self, width: int, lacks: str) -> None:
        self.width, self._lacks = width, lacks

    def build(self, device: str = "cpu") -> Fixed:
        return self

    def recipe(self) -> dict[str, Any]:
        return {"encoder": f"fixed {self.width}"}

    def encode(self, items: list[Item]) -> Encoded:
        missing = np.array([item.text == self._lacks for item in items], bool)
        values = np.where(missing[:, None], 0, self.width).astype(np.float32) * np.ones(self.width, np.float32)
        return Encoded(values, missing, tuple("no word" if gone else None for gone in missing))


def test_encoders_side_by_side() -> None:
    spec = JoinedSpec(names=("x", "y"), specs=(Fixed(2, "oh"), Fixed(1, "no")))  # type: ignore[arg-type]
    encoder = spec.build()
    assert isinstance(encoder, JoinedEncoder)
    items = [Item(utterance_id=text, text=text) for text in ("oh", "my", "no")]
    encoded = encoder.encode(items)
    assert encoded.values.tolist() == [[0, 0, 0], [2, 2, 1], [0, 0, 0]]
    assert encoded.problems == ("x: no word", None, "y: no word")
    assert encoder.recipe() == {"joined": [["x", {"encoder": "fixed 2"}], ["y", {"encoder": "fixed 1"}]]}
    assert (encoder.width, spec.modality, spec.uses_gpu) == (3, "text", False)
    assert encoder.encode([]).values.shape == (0, 3)


def test_choices_of_tables() -> None:
    assert parse_tables(["text=roberta+bert", "audio=audio"]) == {"text": ("roberta", "bert"), "audio": ("audio",)}
    assert table_name("audio", "audio") == table_name("audio") == "audio"
    for choices in (["text"], ["text="], ["text=a+"], ["smell=a"], ["text=a+a"], ["text=a", "text=b"], ["text=../a"]):
        with pytest.raises(InputError, match="--tables: "):
            parse_tables(choices)
    with pytest.raises(InputError, match="--table: 'a b' is no name"):
        check_name("--table", "a b")
