"""Cards: what is stable has one digest, what is not is refused; folders change as a whole or not at all."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import fmerl
from fmerl.card import CARD, content_digest, read_card, recipe_digest, replaced_folder, write_card
from fmerl.errors import InputError

STABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
FIELDS: dict[str, Any] = {
    "kind": "features",
    "recipe": {"layer": -1},
    "content_digest": "c0ffee",
    "supervised_on_labels": True,
}


@settings(max_examples=50)
@given(st.dictionaries(st.text(), STABLE, max_size=4))
def test_digest_survives_json_and_ignores_the_order_of_keys(fields: dict[str, Any]) -> None:
    shuffled = dict(reversed(json.loads(json.dumps(fields)).items()))
    assert recipe_digest(shuffled) == recipe_digest(fields)


def test_other_values_give_another_digest() -> None:
    values: list[Any] = [1, 1.5, "1", None, True, [], [1, 2], [2, 1], {}, {"a": 1}, {"a": {"a": 1}}]
    assert len({recipe_digest({"value": value}) for value in values}) == len(values)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x", Path("x"), np.float32(1), {1: "int key"}, [{None: 0}]])
def test_values_without_one_text_form_are_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        recipe_digest({"value": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"deep": -float("inf")}]])
def test_numbers_that_json_lacks_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        recipe_digest({"value": value})


def test_digest_is_of_sorted_compact_ascii_json() -> None:
    canonical = rb'{"a":"\u00e9","b":[1,2.5,null]}'
    assert recipe_digest({"b": [1, 2.5, None], "a": "é"}) == hashlib.sha256(canonical).hexdigest()


def test_content_digest_tells_type_shape_and_bytes() -> None:
    array = np.arange(6, dtype=np.float32)
    others: list[NDArray[Any]] = [array.reshape(2, 3), array.reshape(3, 2), array.astype(np.float64), array + 1]
    digests = {content_digest(["a"], item) for item in (array, *others)} | {content_digest(["b"], array)}
    assert len(digests) == 6
    assert content_digest(["a"], np.arange(12, dtype=np.float32)[::2] / 2) == content_digest(["a"], array)


def test_card_tells_who_made_it_and_when(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    write_card(tmp_path, FIELDS)
    card = read_card(tmp_path)
    assert {name: card[name] for name in FIELDS} == FIELDS
    assert card["made_by"] == f"fmerl {fmerl.__version__}"
    assert before <= datetime.fromisoformat(card["created"]) <= datetime.now(UTC)
    assert card["recipe_digest"] == recipe_digest(FIELDS["recipe"])


@pytest.mark.parametrize("name", ["kind", "recipe", "content_digest"])
def test_card_needs_its_fields(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyError, match=name):
        write_card(tmp_path, {field: value for field, value in FIELDS.items() if field != name})
    assert not (tmp_path / CARD).exists()


def test_no_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"card\.json: there is no card"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "no JSON"),
        ("[]", "lacks kind"),
        ('{"kind": NaN}', "NaN is no number"),
        ('{"kind": "features"}', "lacks made_by"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_broken_card_is_refused(tmp_path: Path, text: str | bytes, what: str) -> None:
    (tmp_path / CARD).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=what):
        read_card(tmp_path)


def test_changed_recipe_is_refused(tmp_path: Path) -> None:
    write_card(tmp_path, FIELDS)
    card = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps({**card, "recipe": {"layer": -2}}))
    with pytest.raises(InputError, match="recipe_digest"):
        read_card(tmp_path)


def test_failed_writing_leaves_the_old_folder_alone(tmp_path: Path) -> None:
    folder = tmp_path / "table"
    with replaced_folder(folder) as fresh:
        write_card(fresh, FIELDS)
        (fresh / "old").touch()
    with pytest.raises(FileNotFoundError), replaced_folder(folder) as fresh:
        (fresh / "new" / "lost").touch()
    assert {path.name for path in folder.iterdir()} == {CARD, "old"}
    with replaced_folder(folder) as fresh:
        (fresh / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["table"]


def test_folder_without_a_card_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="without a card"), replaced_folder(tmp_path):
        pass
    assert (tmp_path / "thesis.tex").exists()
