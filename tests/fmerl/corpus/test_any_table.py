"""Generated tables of a corpus, one thing in each made wrong: read as they are, or refused by file and row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from helpers.any_corpus import SCORES, corpora
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fmerl.corpus import Corpus, read_corpus, write_corpus
from fmerl.errors import InputError

COLUMNS = ["utterance_id", "dialogue_id", "turn", "speaker", "text", "emotion", "split", *SCORES]
Cells = list[list[str]]


def _set(column: str, *values: str) -> Callable[[Cells, int, int], None]:
    """A cell of this column that holds one of these values."""

    def change(rows: Cells, row: int, number: int) -> None:
        rows[row][COLUMNS.index(column)] = values[number % len(values)]

    return change


def _one_more(rows: Cells, row: int, number: int) -> None:
    rows[row].append("more")


def _one_less(rows: Cells, row: int, number: int) -> None:
    rows[row].pop()


def _same_id(rows: Cells, row: int, number: int) -> None:
    rows[row][0] = rows[row - 1][0]


def _same_turn(rows: Cells, row: int, number: int) -> None:
    rows[row] = [f"{rows[row - 1][0]} again", *rows[row - 1][1:]]


FAULTS: dict[str, Callable[[Cells, int, int], None]] = {
    "turn": _set("turn", "", "x", "1.5", "1e400", "--3", "0x1"),
    "emotion": _set("emotion", " no such class ", "no\nsuch"),
    "split": _set("split", "", "dev", "Train", "train "),
    "id": _set("utterance_id", "", " ", " a", "a\t"),
    "dialogue": _set("dialogue_id", "", "a "),
    "score": _set("valence", "high", "1e999", "-1e9", "1,5", "inf"),
    "longer": _one_more,
    "shorter": _one_less,
    "same id": _same_id,
    "same turn": _same_turn,
}


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    corpus=corpora(),
    fault=st.sampled_from([*FAULTS, "none", "cut", "byte", "column"]),
    number=st.integers(0, 10**6),
    delimiter=st.sampled_from(",;\t|"),
)
def test_a_table_is_read_as_it_is_or_refused_by_row(corpus: Corpus, fault: str, number: int, delimiter: str) -> None:
    event(fault)
    rows = [[_cell(asdict(turn)[name]) for name in COLUMNS] for turn in corpus.utterances()]
    row = 1 + number % (len(rows) - 1)
    if fault in FAULTS:
        FAULTS[fault](rows, row, number)
    columns = [name for name in COLUMNS if fault != "column" or name != COLUMNS[number % 7]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([columns, *rows])
    content = text.getvalue().encode()
    if fault == "cut":
        content = content[: number % len(content)]
    if fault == "byte":
        place = number % len(content)
        content = content[:place] + bytes([number % 256]) + content[place + 1 :]
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(corpus, folder)
        (folder / "utterances.parquet").unlink()
        (folder / "utterances.csv").write_bytes(content)
        refused: InputError | None = None
        try:
            found = read_corpus(folder)
        except InputError as error:
            refused = error
    if refused is not None:
        assert fault != "none", refused
        assert "utterances.csv" in refused.where
        if fault in FAULTS:
            assert refused.row is not None
            assert refused.row >= row + (fault not in ("same id", "same turn")), "the row, or one that it clashes with"
        return
    assert fault in ("none", "cut", "byte"), "a wrong value was read"
    if fault != "byte":
        known = {turn.utterance_id: _shared(turn) for turn in corpus.utterances()}
        assert all(_shared(turn) == known[turn.utterance_id] for turn in found.utterances())
        assert fault == "cut" or sum(1 for _ in found.utterances()) == len(known)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _shared(turn: Any) -> str:
    return json.dumps({name: value for name, value in asdict(turn).items() if name in COLUMNS})
