"""The feature store: what is written comes back by id, and what is wrong is named by file and row."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.card import read_card, recipe_digest
from fmerl.errors import InputError
from fmerl.features.store import FeatureTable, feature_writer, features_current, read_features, write_features

RECIPE = {"encoder": "IS10", "rate": 16000}
IDS = ("a", "b", "c", "d", "e")


def table(ids: tuple[str, ...] = IDS, width: int = 3) -> FeatureTable:
    values = np.random.default_rng(0).normal(size=(len(ids), width)).astype(np.float32)
    missing = np.arange(len(ids)) == 1
    values[missing] = 0
    return FeatureTable("audio", ids, values, missing, {"recipe": RECIPE, "supervised_on_labels": False})


def rewrite(path: Path, **columns: Any) -> None:
    """Replace columns of a part and leave the card as it is."""
    stored = pq.read_table(path)
    pq.write_table(pa.table({name: columns.get(name, stored[name]) for name in stored.column_names}), path)


def features(*rows: list[float | None] | None, width: int = 3) -> pa.Array:
    return pa.array(rows, pa.list_(pa.float32(), width))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table in two parts, with ids a, b, c and d, e; row b is missing."""
    write_features(tmp_path, "meld", table(), rows_per_part=3)
    return tmp_path / "meld" / "audio"


def read(folder: Path, ids: tuple[str, ...] = IDS) -> FeatureTable:
    return read_features(folder.parent.parent, "meld", "audio", ids)


def test_format_is_the_documented_one(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "part-00000.parquet", "part-00001.parquet"]
    schema = pq.read_schema(folder / "part-00001.parquet")
    assert schema.names == ["utterance_id", "feature", "missing"]
    assert schema.types == [pa.string(), pa.list_(pa.float32(), 3), pa.bool_()]
    card = read_card(folder)
    assert card["kind"] == "features"
    assert card["recipe"] == RECIPE
    assert card["supervised_on_labels"] is False


def test_rows_come_in_the_order_asked(folder: Path) -> None:
    stored, got = table(), read(folder, ("e", "b", "a"))
    assert got.utterance_ids == ("e", "b", "a")
    np.testing.assert_array_equal(got.values, stored.values[[4, 1, 0]])
    assert got.missing.tolist() == [False, True, False]
    assert got.card == read_card(folder)


@given(order=st.permutations(range(5)), rows_per_part=st.integers(1, 6))
def test_content_digest_ignores_parts_and_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], rows_per_part: int
) -> None:
    root, whole = tmp_path_factory.mktemp("store"), table()
    ids = tuple(IDS[row] for row in order)
    shuffled = replace(whole, utterance_ids=ids, values=whole.values[order], missing=whole.missing[order])
    write_features(root, "meld", shuffled, rows_per_part)
    got = read_features(root, "meld", "audio", IDS)
    np.testing.assert_array_equal(got.values, whole.values)
    assert got.card["content_digest"] == whole.card["content_digest"]


@pytest.mark.parametrize("row", range(5))
def test_content_digest_tells_every_row(row: int) -> None:
    whole = table()
    values = whole.values.copy()
    values[row, 2] += 1
    changed = FeatureTable("audio", IDS, values, np.zeros(5, dtype=np.bool_), {})
    assert changed.card["content_digest"] != whole.card["content_digest"]


def test_table_without_rows(tmp_path: Path) -> None:
    empty = FeatureTable("text", (), np.zeros((0, 4), np.float32), np.zeros(0, np.bool_), {"recipe": {}})
    write_features(tmp_path, "meld", empty)
    assert read_features(tmp_path, "meld", "text", ()).values.shape == (0, 4)


def test_current_only_with_the_same_recipe(folder: Path) -> None:
    root = folder.parent.parent
    assert features_current(root, "meld", "audio", recipe_digest(RECIPE))
    assert not features_current(root, "meld", "audio", recipe_digest({**RECIPE, "rate": 8000}))
    assert not features_current(root, "meld", "text", recipe_digest(RECIPE))
    (folder / "card.json").unlink()
    with pytest.raises(InputError, match="there is no card"):
        features_current(root, "meld", "audio", recipe_digest(RECIPE))


def test_writing_again_replaces_all_parts(folder: Path) -> None:
    write_features(folder.parent.parent, "meld", table(IDS[:2]), rows_per_part=3)
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "part-00000.parquet"]
    assert [path.name for path in folder.parent.iterdir()] == ["audio"]
    assert read(folder, ("b", "a")).utterance_ids == ("b", "a")


def test_absent_table_names_those_at_hand(folder: Path) -> None:
    with pytest.raises(InputError, match=r"text: no such feature table \(at hand: audio\); make it with"):
        read_features(folder.parent.parent, "meld", "text", IDS)
    with pytest.raises(InputError, match="at hand: none"):
        read_features(folder.parent.parent, "iemocap", "text", IDS)


def test_table_without_a_card_is_refused(folder: Path) -> None:
    (folder / "card.json").unlink()
    with pytest.raises(InputError, match="there is no card"):
        read(folder)


def test_absent_utterances_are_counted(folder: Path) -> None:
    with pytest.raises(InputError, match="2 of 3 utterances have no row, the first is y"):
        read(folder, ("a", "y", "z"))


def test_changed_content_is_refused(folder: Path) -> None:
    rewrite(folder / "part-00001.parquet", feature=features([1, 2, 3], [4, 5, 6]))
    with pytest.raises(InputError, match="content_digest"):
        read(folder)


def test_lost_part_is_refused(folder: Path) -> None:
    (folder / "part-00001.parquet").unlink()
    with pytest.raises(InputError, match="content_digest"):
        read(folder, ("a",))
    (folder / "part-00000.parquet").unlink()
    with pytest.raises(InputError, match=r"there is no part-\*\.parquet"):
        read(folder, ("a",))


@pytest.mark.parametrize(
    ("columns", "row", "what"),
    [
        ({"feature": features([1, 2, 3], [4, np.nan, 6])}, 3, "NaN or infinite"),
        ({"feature": features([-np.inf, 2, 3], [4, 5, 6])}, 2, "NaN or infinite"),
        ({"feature": features([1, 2, 3], [4, None, 6])}, 3, "null, NaN"),
        ({"feature": features([1, 2, 3], None)}, 3, "the feature is null"),
        ({"feature": features([1, 2], [3, 4], width=2)}, None, r"2 wide, in part-00000\.parquet 3"),
        ({"feature": pa.array([1.0, 2.0])}, None, r"write it as fixed_size_list<float32>\[D\]"),
        ({"feature": pa.array([["1"], ["2"]])}, None, r"write it as fixed_size_list<float32>\[D\]"),
        ({"feature": pa.array([[1.0, 2.0, 3.0], [1.0]])}, 3, "the feature has 1 values, in row 2 3"),
        ({"feature": pa.array([[1.0, 2.0, 3.0], None])}, 3, "feature is null"),
        ({"feature": pa.array([[1.0, 2.0, 3.0], [1.0, 1e39, 0.0]])}, 3, "NaN or infinite"),
        ({"missing": pa.array([0, 0])}, None, "column missing is int64; write it as bool"),
        ({"missing": pa.array([False, None])}, 3, "missing is null"),
        ({"missing": pa.array([True, False])}, 2, "missing is set but the feature is not zero"),
        ({"utterance_id": pa.array([4, 5])}, None, "utterance_id is int64"),
        ({"utterance_id": pa.array(["d", None])}, 3, "utterance_id is null"),
        ({"utterance_id": pa.array(["d", "a"])}, 3, "a stands there twice"),
    ],
)
def test_bad_rows_are_named(folder: Path, columns: dict[str, pa.Array], row: int | None, what: str) -> None:
    path = folder / "part-00001.parquet"
    rewrite(path, **columns)
    with pytest.raises(InputError, match=what) as caught:
        read(folder)
    assert caught.value.where == str(path)
    assert caught.value.row == row
    assert caught.value.remedy


LISTS = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view, lambda kind: pa.list_(kind, 3)]
TEXTS = [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
@pytest.mark.parametrize("list_of", LISTS)
def test_lists_of_any_type_and_one_length_are_features(
    folder: Path, list_of: Callable[[pa.DataType], pa.DataType], kind: pa.DataType
) -> None:
    exact = replace(table(), values=table().values.astype(np.float16).astype(np.float32))
    write_features(folder.parent.parent, "meld", exact, rows_per_part=3)
    for path in folder.glob("part-*.parquet"):
        rows = np.array(pq.read_table(path)["feature"].to_pylist(), dtype=kind.to_pandas_dtype())
        rewrite(path, feature=pa.array(list(rows), list_of(kind)))
    np.testing.assert_array_equal(read(folder).values, exact.values)


@pytest.mark.parametrize("kind", TEXTS)
def test_ids_may_be_text_of_any_type(folder: Path, kind: pa.DataType) -> None:
    for path in folder.glob("part-*.parquet"):
        rewrite(path, utterance_id=pq.read_table(path)["utterance_id"].cast(kind))
    assert read(folder).utterance_ids


def test_parts_without_rows_are_read_over(folder: Path) -> None:
    before = read(folder)
    empty = pq.read_table(folder / "part-00000.parquet").slice(0, 0)
    feature = pa.array([], pa.list_(pa.float64()))
    pq.write_table(empty.set_column(1, "feature", feature), folder / "part-99999.parquet")
    np.testing.assert_array_equal(read(folder).values, before.values)


def test_bad_files_are_named(folder: Path) -> None:
    path = folder / "part-00001.parquet"
    pq.write_table(pq.read_table(path).drop_columns("missing"), path)
    with pytest.raises(InputError, match=r"part-00001\.parquet: there is no column missing"):
        read(folder)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"part-00001\.parquet: unreadable Parquet file"):
        read(folder)


def test_bad_table_cannot_be_built() -> None:
    whole = table()
    filled = whole.values.copy()
    filled[1] = 1
    with pytest.raises(InputError, match="audio feature of b: missing is set"):
        replace(whole, values=filled)
    with pytest.raises(InputError, match="audio feature of a: a value is null, NaN or infinite"):
        replace(whole, values=np.where(whole.values == whole.values[0, 0], np.nan, whole.values))
    with pytest.raises(InputError, match="a stands there twice"):
        replace(whole, utterance_ids=("a", "b", "c", "a", "e"))
    with pytest.raises(ValueError, match="do not fit"):
        replace(whole, utterance_ids=IDS[:4])
    with pytest.raises(ValueError, match="float32"):
        replace(whole, values=whole.values.astype(np.float64))


def test_card_of_a_table_is_plain_json(folder: Path) -> None:
    assert json.loads((folder / "card.json").read_text())["content_digest"] == table().card["content_digest"]


def test_table_written_part_by_part_is_the_one_written_at_once(tmp_path: Path) -> None:
    whole = table()
    with feature_writer(tmp_path, "meld", "audio", {"recipe": RECIPE}) as writer:
        for rows in (slice(3, 5), slice(0, 1), slice(1, 3)):
            writer.append(whole.utterance_ids[rows], whole.values[rows], whole.missing[rows])
        writer.card["rows"] = 5
    got = read(tmp_path / "meld" / "audio")
    np.testing.assert_array_equal(got.values, whole.values)
    assert got.card["content_digest"] == whole.card["content_digest"]
    assert got.card["rows"] == 5


def test_writer_that_fails_leaves_the_old_table(folder: Path) -> None:
    before, whole = read_card(folder), table()

    def write(*pieces: tuple[slice, float]) -> None:
        with feature_writer(folder.parent.parent, "meld", "audio", {"recipe": RECIPE}) as writer:
            for rows, shift in pieces:
                writer.append(whole.utterance_ids[rows], whole.values[rows] + np.float32(shift), whole.missing[rows])

    with pytest.raises(InputError, match="a: the utterance has a row already"):
        write((slice(0, 1), 0), (slice(0, 2), 0))
    with pytest.raises(InputError, match="feature of b: missing is set but"):
        write((slice(0, 1), 0), (slice(1, 2), 1))
    assert read_card(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["audio"]
    read(folder)
