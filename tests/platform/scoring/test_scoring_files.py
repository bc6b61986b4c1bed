"""Prediction files: read as they stand, or refused in one line that names file and row."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.predictions import CLASSES, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl_platform.scoring.files import named_paths, read_predictions
from fmerl_platform.scoring.gold import Gold, gold_of_folder


@pytest.fixture(scope="module")
def gold(folder: Path) -> Gold:
    return gold_of_folder(folder)


def rows_of(gold: Gold, **more: object) -> list[dict[str, object]]:
    return [{"utterance_id": name, "predicted": "joy", **more} for name in gold.labelled]


def test_gold_is_the_test_split_with_its_context(gold: Gold) -> None:
    assert len(gold.rows) == 72
    assert len(gold.labelled) == 60
    assert gold.repeats == {f"test{number}_0" for number in range(12)}
    assert len(gold.known) == 3 * 72


def test_parquet_and_csv_give_the_same(gold: Gold, tmp_path: Path) -> None:
    rows = [{**row, "seed": seed, "valence": 1.5} for seed in (1, 0) for row in rows_of(gold)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    one = read_predictions("a", tmp_path / "a.parquet", gold)
    other = read_predictions("a", write(tmp_path / "a.csv", rows), gold)
    assert [found.seed for found in one.seeds] == [found.seed for found in other.seeds] == [0, 1]
    assert one.seeds[0].predicted == other.seeds[0].predicted
    assert one.seeds[0].predicted.count("joy") == 60, "context without a row has no prediction"
    assert set(one.seeds[0].vad) == set(other.seeds[0].vad) == {"valence"}
    assert one.seeds[0].probabilities is None


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_and_rows_of_other_splits_do_not_matter(gold: Gold, tmp_path: Path, random: Random) -> None:
    labels = {name: random.choice(CLASSES) for name in gold.known}
    rows: list[dict[str, object]] = [{"utterance_id": name, "predicted": label} for name, label in labels.items()]
    random.shuffle(rows)
    [found] = read_predictions("a", write(tmp_path / "a.csv", rows), gold).seeds
    assert found.seed is None
    assert found.predicted == [labels[name] for name in gold.rows["utterance_id"].to_pylist()]


Rows = list[dict[str, object]]

PROBABLE = {"neutral": 0.2, "joy": 0.5, "anger": 0.3}
FAULTS: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "repeated": (lambda rows: [*rows, rows[3]], "a.csv, row 62: utterance_id 'test0_3' is also that of row 5"),
    "foreign": (lambda rows: [*rows, {**rows[0], "utterance_id": "x"}], "row 62: utterance_id 'x' is none of small"),
    "unknown class": (lambda rows: [{**rows[0], "predicted": "bliss"}, *rows[1:]], "row 2: unknown class 'bliss'"),
    "missing": (lambda rows: rows[2:], "a.csv: no row of test utterance 'test0_0' and 1 more"),
    "seed missing": (
        lambda rows: [{**rows[0], "seed": ""}, *({**row, "seed": 1} for row in rows[1:])],
        "row 2: seed ''",
    ),
    "seed": (lambda rows: [{**row, "seed": "1.5"} for row in rows], "row 2: seed '1.5' is no whole number"),
    "one class alone": (lambda rows: [{**row, "joy": 0.5} for row in rows], "none of neutral, anger"),
    "no distribution": (
        lambda rows: [{**row, **PROBABLE, "joy": 0.9} for row in rows],
        "row 2: its probabilities add up",
    ),
    "a score": (lambda rows: [{**row, **PROBABLE, "joy": -3} for row in rows], "row 2: probability '-3' of joy"),
    "valence": (lambda rows: [{**row, "valence": "nan"} for row in rows], "row 2: valence 'nan' is no number"),
    "no rows": (
        lambda rows: [{**rows[0], "utterance_id": "", "predicted": ""}],
        "row 2: utterance_id '' is none of small",
    ),
    "no column": (lambda rows: [{"utterance_id": "a"}], "row 1: missing column predicted"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_name_file_and_row(fault: str, gold: Gold, tmp_path: Path) -> None:
    spoil, said = FAULTS[fault]
    path = write(tmp_path / "a.csv", spoil(rows_of(gold)))
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        read_predictions("a", path, gold)
    assert "\n" not in str(refused.value)


def test_files_are_called_by_their_stems_or_as_one_says(tmp_path: Path) -> None:
    odd = tmp_path / "a=b.csv"
    odd.touch()
    assert named_paths(["one.csv", "mine=two.csv", str(odd)]) == {
        "one": Path("one.csv"),
        "mine": Path("two.csv"),
        "a=b": odd,
    }
    with pytest.raises(InputError, match="a second file called 'one'"):
        named_paths(["one.csv", "other/one.parquet"])
