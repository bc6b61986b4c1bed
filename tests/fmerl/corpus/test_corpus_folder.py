"""The corpus folder: what is written comes back the same from both formats, and bad input is named."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from helpers.any_corpus import SCORES, corpora
from hypothesis import given
from hypothesis import strategies as st

from fmerl.corpus import SPLITS, Corpus, Problem, media_file, read_corpus, write_corpus
from fmerl.errors import InputError

HEADER = {"name": "tiny", "classes": ["joy", "anger"], "vad_range": [0, 5], "unseen_class": "anger"}
COLUMNS = ["utterance_id", "dialogue_id", "turn", "speaker", "text", "emotion", "split"]
VIDEO = ["video_path", "video_start", "video_end", "video_side"]
Table = list[list[str]]


def table() -> Table:
    """A valid table of six rows, rows 2 to 7 of its file."""
    return [
        ["u1", "d1", "0", "Ann", "Hello, you.", "joy", "train"],
        ["u2", "d1", "3", "Bob", "None", "", "train"],
        ["u3", "d2", "5", "Ann", "nan", "anger", "validation"],
        ["u4", "d2", "2", "Bob", "", "joy", "validation"],
        ["u5", "d3", "1", "Ann", "two\nlines", "joy", "test"],
        ["u6", "d3", "0", "Ann", "NA", "anger", "test"],
    ]


def write_csv_folder(
    folder: Path,
    rows: Iterable[list[str]],
    columns: list[str] | None = None,
    header: Any = HEADER,
    encoding: str = "utf-8",
    line_end: str = "\n",
) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "corpus.json").write_text(json.dumps(header))
    with (folder / "utterances.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([columns or COLUMNS, *rows])
    return folder


def write_parquet_folder(folder: Path, columns: dict[str, list[Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "corpus.json").write_text(json.dumps(HEADER))
    pq.write_table(pa.table(columns), folder / "utterances.parquet")
    return folder


def parquet_columns() -> dict[str, list[Any]]:
    cells = zip(*table(), strict=True)
    columns: dict[str, list[Any]] = dict(zip(COLUMNS, map(list, cells), strict=True))
    columns["turn"] = [int(turn) for turn in columns["turn"]]
    columns["emotion"] = [emotion or None for emotion in columns["emotion"]]
    return columns


@given(
    corpora(),
    st.randoms(use_true_random=False),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_corpus_comes_back_from_parquet_and_from_any_csv(
    corpus: Corpus, random: Any, encoding: str, line_end: str
) -> None:
    with TemporaryDirectory() as folder:
        write_corpus(corpus, Path(folder, "parquet"))
        from_parquet = read_corpus(Path(folder, "parquet"))

        columns = [*COLUMNS, *SCORES, "audio_path", *VIDEO, "note"]
        random.shuffle(columns)
        rows = []
        for dialogue in corpus.dialogues:
            members = list(dialogue.utterances)
            random.shuffle(members)
            for utterance in members:
                cells = {name: "" if cell is None else str(cell) for name, cell in asdict(utterance).items()}
                rows.append([cells.get(column, "ignored") for column in columns])
        header = json.loads(Path(folder, "parquet", "corpus.json").read_bytes())
        from_csv = read_corpus(write_csv_folder(Path(folder, "csv"), rows, columns, header, encoding, line_end))

    assert from_parquet == from_csv == corpus
    assert from_parquet.digest() == from_csv.digest() == corpus.digest()


def test_reading_sorts_by_turn_keeps_texts_and_first_appearance(tmp_path: Path) -> None:
    rows = table()
    rows.insert(0, rows.pop(4))  # d3's later turn first
    corpus = read_corpus(write_csv_folder(tmp_path, rows))
    assert [dialogue.dialogue_id for dialogue in corpus.dialogues] == ["d3", "d1", "d2"]
    assert [(u.utterance_id, u.turn) for u in corpus.utterances()] == [
        ("u6", 0), ("u5", 1), ("u1", 0), ("u2", 3), ("u4", 2), ("u3", 5),
    ]  # fmt: skip
    assert {u.utterance_id: u.text for u in corpus.utterances()} == {row[0]: row[4] for row in table()}
    assert next(u for u in corpus.utterances() if u.utterance_id == "u2").emotion is None
    assert corpus.vad_range == (0.0, 5.0)
    assert corpus.unseen_class == "anger"


def test_digest_knows_integers_as_the_floats_they_are_read_as(tmp_path: Path) -> None:
    corpus = replace(read_corpus(write_csv_folder(tmp_path, table())), vad_range=(0, 5))
    write_corpus(corpus, tmp_path / "copy")
    assert read_corpus(tmp_path / "copy").digest() == corpus.digest()


def test_parquet_takes_the_types_that_data_frames_write(tmp_path: Path) -> None:
    columns: dict[str, Any] = parquet_columns()
    columns["speaker"] = pa.array(columns["speaker"]).dictionary_encode()
    columns["text"] = pa.array(columns["text"], pa.large_string())
    columns["turn"] = pa.array(columns["turn"], pa.int8())
    columns |= {name: pa.array([0.1, None, 5, None, None, 2.5], pa.float32()) for name in SCORES}
    corpus = read_corpus(write_parquet_folder(tmp_path / "parquet", columns))
    rows = [[*row, *[score] * 3] for row, score in zip(table(), ["0.1", "", "5", "", "", "2.5"], strict=True)]
    assert corpus == read_corpus(write_csv_folder(tmp_path / "csv", rows, COLUMNS + SCORES))


def test_both_formats_are_read_alike(tmp_path: Path) -> None:
    """Data frames with gaps: whole numbers as floats, NaN or null for what is missing, ids as views of strings."""
    scores = [0.1, None, 5.0, math.nan, None, 2.5]
    columns: dict[str, Any] = parquet_columns()
    columns["utterance_id"] = pa.array(columns["utterance_id"], pa.string_view())
    columns["turn"] = pa.array(columns["turn"], pa.float64())
    columns["speaker"] = pa.array([1.0, 2.0, 1.0, 2.0, 1.0, 1.0])
    columns |= {name: pa.array(scores, pa.float32()) for name in SCORES}
    from_parquet = read_corpus(write_parquet_folder(tmp_path / "parquet", columns))

    rows = [[*row, *["NaN" if score is None else str(score)] * 3] for row, score in zip(table(), scores, strict=True)]
    for row, speaker in zip(rows, ["1.0", "2.0", "1.0", "2.0", "1.0", "1.0"], strict=True):
        row[2], row[3] = f"{row[2]}.0", speaker
    assert from_parquet == read_corpus(write_csv_folder(tmp_path / "csv", rows, COLUMNS + SCORES))
    assert [item.turn for item in from_parquet.dialogues[0].utterances] == [0, 3]
    assert {item.speaker for item in from_parquet.utterances()} == {"1.0", "2.0"}
    assert [item.valence for item in from_parquet.utterances()] == [0.1, None, None, 5.0, 2.5, None]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("named", [False, True])
def test_csv_may_be_what_any_spreadsheet_writes(tmp_path: Path, delimiter: str, encoding: str, named: bool) -> None:
    folder = write_csv_folder(tmp_path / "plain", table())
    text = io.StringIO()
    text.write(f"sep={delimiter}\r\n" if named else "")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows([COLUMNS, *table()])
    other = write_csv_folder(tmp_path / "other", [])
    (other / "utterances.csv").write_bytes(text.getvalue().encode(encoding))
    assert read_corpus(other) == read_corpus(folder)


def test_a_folder_of_parts_is_one_table(tmp_path: Path) -> None:
    whole = read_corpus(write_parquet_folder(tmp_path / "whole", parquet_columns()))
    folder = write_csv_folder(tmp_path / "parts", [])
    (folder / "utterances.csv").unlink()
    table_of_rows = pa.table(parquet_columns())
    for split in SPLITS:
        part = folder / "utterances.parquet" / f"split={split}" / "part-0.snappy.parquet"
        part.parent.mkdir(parents=True)
        rows = table_of_rows.filter(pc.equal(table_of_rows["split"], split)).drop_columns("split")
        pq.write_table(rows, part)
    (folder / "utterances.parquet" / "_SUCCESS").touch()
    (folder / "utterances.parquet" / ".part-0.parquet.crc").write_bytes(b"crc")
    (folder / "utterances.parquet" / "_metadata.parquet").write_bytes(b"none")
    assert {item.utterance_id: item for item in read_corpus(folder).utterances()} == {
        item.utterance_id: item for item in whole.utterances()
    }
    part.write_bytes(b"PAR1 cut short")
    with pytest.raises(InputError) as caught:
        read_corpus(folder)
    assert_names(caught.value, part, None, ["unreadable Parquet", "write the file again"])
    shutil.rmtree(folder / "utterances.parquet")
    (folder / "utterances.parquet").mkdir()
    with pytest.raises(InputError, match="a folder without"):
        read_corpus(folder)


def test_a_table_may_have_any_number_of_other_columns(tmp_path: Path) -> None:
    columns = parquet_columns() | {f"other {number}": [0] * 6 for number in range(20_000)}
    assert len(list(read_corpus(write_parquet_folder(tmp_path, columns)).utterances())) == 6
    rows = [[*row, "", ""] for row in table()]
    assert len(list(read_corpus(write_csv_folder(tmp_path / "csv", rows, [*COLUMNS, "", ""])).utterances())) == 6


def set_cell(row: int, column: str, value: str) -> Callable[[Table], None]:
    def change(rows: Table) -> None:
        rows[row - 2][COLUMNS.index(column)] = value

    return change


ROW_ERRORS = {
    "unknown emotion": (set_cell(4, "emotion", "Joy"), 4, ["unknown emotion 'Joy'", "joy, anger"]),
    "padded emotion": (set_cell(4, "emotion", "joy "), 4, ["unknown emotion 'joy '", "joy, anger"]),
    "repeated id": (set_cell(5, "utterance_id", "u1"), 5, ["utterance_id 'u1'", "row 2", "its own id"]),
    "repeated turn": (set_cell(3, "turn", "0"), 3, ["turn 0 of dialogue 'd1'", "row 2", "its own number"]),
    "turn as text": (set_cell(6, "turn", "one"), 6, ["turn 'one'", "number the dialogue's turns"]),
    "turn with a fraction": (set_cell(6, "turn", "1.5"), 6, ["turn '1.5'", "number the dialogue's turns"]),
    "no turn": (set_cell(6, "turn", ""), 6, ["turn ''", "number the dialogue's turns"]),
    "unknown split": (set_cell(2, "split", "dev"), 2, ["unknown split 'dev'", "train, validation, test"]),
    "two splits": (set_cell(7, "split", "train"), 7, ["dialogue 'd3' is in train", "test in row 6", "one split"]),
    "no id": (set_cell(3, "utterance_id", ""), 3, ["utterance_id ''", "mend the name"]),
    "padded dialogue": (set_cell(3, "dialogue_id", "d1 "), 3, ["dialogue_id 'd1 '", "mend the name"]),
    "no speaker": (set_cell(3, "speaker", ""), 3, ["speaker ''", "mend the name"]),
}


@pytest.mark.parametrize("name", ROW_ERRORS)
def test_bad_row_is_named_with_file_row_and_remedy(tmp_path: Path, name: str) -> None:
    change, row, fragments = ROW_ERRORS[name]
    rows = table()
    change(rows)
    with pytest.raises(InputError) as caught:
        read_corpus(write_csv_folder(tmp_path, rows))
    assert_names(caught.value, tmp_path / "utterances.csv", row, fragments)


@pytest.mark.parametrize(
    ("scores", "fragments"),
    [
        (["1", "high", "2"], ["arousal 'high'", "from 0 to 5", "mend the score"]),
        (["1", "nan", "2"], ["valence, dominance given without arousal", "all three scores or none"]),
        (["1", "inf", "2"], ["arousal 'inf'", "from 0 to 5", "mend the score"]),
        (["1", "2", "5.01"], ["dominance '5.01'", "from 0 to 5", "vad_range"]),
        (["-1", "2", "3"], ["valence '-1'", "from 0 to 5", "mend the score"]),
        (["1", "", ""], ["valence given without arousal, dominance", "all three scores or none"]),
        (["", "1", "2"], ["arousal, dominance given without valence", "all three scores or none"]),
    ],
)
def test_bad_scores_are_named(tmp_path: Path, scores: list[str], fragments: list[str]) -> None:
    rows = [[*row, "0", "2.5", "5"] for row in table()]
    rows[3][-3:] = scores
    with pytest.raises(InputError) as caught:
        read_corpus(write_csv_folder(tmp_path, rows, COLUMNS + SCORES))
    assert_names(caught.value, tmp_path / "utterances.csv", 5, fragments)


@pytest.mark.parametrize(
    ("video", "fragments"),
    [
        (["a.avi", "soon", "", ""], ["video_start 'soon'", "seconds from 0 on"]),
        (["a.avi", "-1", "2", ""], ["video_start '-1'", "seconds from 0 on"]),
        (["a.avi", "1", "inf", ""], ["video_end 'inf'", "seconds from 0 on"]),
        (["a.avi", "2.5", "2.5", ""], ["video_start 2.5 is not before video_end 2.5", "mend the span"]),
        (["", "1", "2", ""], ["video_start and video_end given without video_path", "name the video"]),
        (["a.avi", "", "", "middle"], ["unknown video_side 'middle'", "left or right"]),
        (["", "", "", "left"], ["video_side given without video_path", "name the video"]),
    ],
)
def test_bad_videos_are_named(tmp_path: Path, video: list[str], fragments: list[str]) -> None:
    rows = [[*row, "a.avi", "0", "1.5", "left"] for row in table()]
    rows[3][-4:] = video
    with pytest.raises(InputError) as caught:
        read_corpus(write_csv_folder(tmp_path, rows, COLUMNS + VIDEO))
    assert_names(caught.value, tmp_path / "utterances.csv", 5, fragments)


def test_media_paths_start_at_the_corpus_folder(tmp_path: Path) -> None:
    assert media_file(tmp_path / "corpus", "wav/a.wav") == tmp_path / "corpus" / "wav" / "a.wav"
    assert media_file(tmp_path / "corpus", "../a.wav") == tmp_path / "a.wav"
    assert media_file(tmp_path / "corpus", str(tmp_path / "b.wav")) == tmp_path / "b.wav"


def test_parquet_rows_are_counted_as_csv_rows_are(tmp_path: Path) -> None:
    columns = parquet_columns()
    columns["emotion"][2] = "boredom"
    with pytest.raises(InputError) as caught:
        read_corpus(write_parquet_folder(tmp_path, columns))
    assert_names(caught.value, tmp_path / "utterances.parquet", 4, ["unknown emotion 'boredom'", "joy, anger"])


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (lambda columns: columns.pop("speaker"), ["missing column speaker", "found: utterance_id", "add the column"]),
        (lambda columns: columns.update(turn=[[1]] * 6), ["column turn of type list", "store it as"]),
        (lambda columns: columns.update(text=[b"\xff"] * 6), ["column text of type binary", "store it as"]),
    ],
)
def test_bad_parquet_columns_are_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], fragments: list[str]
) -> None:
    columns = parquet_columns()
    change(columns)
    with pytest.raises(InputError) as caught:
        read_corpus(write_parquet_folder(tmp_path, columns))
    assert_names(caught.value, tmp_path / "utterances.parquet", caught.value.row, fragments)


def test_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    write_parquet_folder(tmp_path, parquet_columns())
    (tmp_path / "utterances.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert_names(caught.value, tmp_path / "utterances.parquet", None, ["unreadable Parquet", "write the file again"])


@pytest.mark.parametrize(
    ("content", "row", "fragments"),
    [
        ("", None, ["empty file", "write a header row"]),
        ("utterance_id;turn\n", 1, ["missing column dialogue_id, speaker", "found: utterance_id, turn", "add the"]),
        ("sep=,\nutterance_id,turn\n", 2, ["missing column dialogue_id, speaker", "found: utterance_id", "add the"]),
        ("utterance_id,turn\n", 1, ["missing column dialogue_id, speaker", "found: utterance_id, turn", "add the"]),
        (",".join([*COLUMNS, "text"]), 1, ["column text is there twice", "keep one"]),
        (f"{','.join(COLUMNS)}\n\nu1,d1,0,Ann,Hello, you,joy,train\n", 3, ["8 cells", "header has 7", "quote"]),
        (f'{",".join(COLUMNS)}\nu1,d1,0,Ann,ok,joy,train\nu2,d1,1,Ann,"open', 3, ["broken CSV", "quotes"]),
        (f"{','.join(COLUMNS)}\nu1,d1,0,Ann,caf\xe9,joy,train\n", 2, ["is not UTF-8", "save the file as UTF-8"]),
    ],
)
def test_broken_csv_is_named(tmp_path: Path, content: str, row: int | None, fragments: list[str]) -> None:
    write_csv_folder(tmp_path, table())
    (tmp_path / "utterances.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert_names(caught.value, tmp_path / "utterances.csv", row, fragments)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_needs_labelled_utterances(tmp_path: Path, split: str) -> None:
    rows = [row for row in table() if row[-1] != split]
    with pytest.raises(InputError) as caught:
        read_corpus(write_csv_folder(tmp_path, rows))
    assert_names(caught.value, tmp_path / "utterances.csv", None, [f"no utterance in split {split}", "train, valid"])
    rows = [[*row[:5], "" if row[-1] == split else row[5], row[-1]] for row in table()]
    with pytest.raises(InputError) as caught:
        read_corpus(write_csv_folder(tmp_path, rows))
    assert_names(caught.value, tmp_path / "utterances.csv", None, [f"no labelled utterance in split {split}", "give"])


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        ({"name": None}, ["missing key name", 'write {"name"']),
        ({"classes": None}, ["missing key classes", 'write {"name"']),
        ({"vad_range": None}, ["missing key vad_range", 'write {"name"']),
        ({"name": "../up"}, ["name '../up'", "letters, digits"]),
        ({"classes": ["joy"]}, ["classes ['joy']", "every class"]),
        ({"classes": ["joy", 3]}, ["classes ['joy', 3]", "every class"]),
        ({"classes": ["joy", "joy"]}, ["repeat a name", "once"]),
        ({"vad_range": [5, 0]}, ["vad_range [5, 0] is empty", "lowest score first"]),
        ({"vad_range": [0, float("nan")]}, ["NaN is no number", 'write {"name"']),
        ({"vad_range": [False, 10**400]}, ["not two numbers", "lowest and highest"]),
        ({"vad_range": 5}, ["not two numbers", "lowest and highest"]),
        ({"unseen_class": "awe"}, ["unseen_class 'awe'", "joy, anger"]),
    ],
)
def test_bad_header_is_named(tmp_path: Path, change: dict[str, Any], fragments: list[str]) -> None:
    header = {key: value for key, value in {**HEADER, **change}.items() if value is not None}
    with pytest.raises(InputError) as caught:
        read_corpus(write_csv_folder(tmp_path, table(), header=header))
    assert_names(caught.value, tmp_path / "corpus.json", None, fragments)


@pytest.mark.parametrize("content", [b"{", b"[]", b"[" * 100_000, b'{"name": "\\ud800"}', b'{"name": 1, "name": 2}'])
def test_header_that_is_no_json_object_is_named(tmp_path: Path, content: bytes) -> None:
    write_csv_folder(tmp_path, table())
    (tmp_path / "corpus.json").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert_names(caught.value, tmp_path / "corpus.json", None, ["JSON", 'write {"name"'])


def test_header_of_another_encoding_is_named(tmp_path: Path) -> None:
    write_csv_folder(tmp_path, table())
    (tmp_path / "corpus.json").write_bytes(b'{"name":\n"\xff"}')
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert_names(caught.value, tmp_path / "corpus.json", 2, ["byte 10 is not UTF-8", "save the file as UTF-8"])


def test_folder_needs_exactly_one_table_and_a_header(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert_names(caught.value, tmp_path / "corpus.json", None, ["no such file", 'write {"name"'])
    write_csv_folder(tmp_path, table())
    write_parquet_folder(tmp_path, parquet_columns())
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert_names(caught.value, tmp_path, None, ["both of utterances.parquet and utterances.csv", "exactly one"])
    (tmp_path / "utterances.csv").unlink()
    (tmp_path / "utterances.parquet").unlink()
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert_names(caught.value, tmp_path, None, ["neither of utterances.parquet and utterances.csv", "exactly one"])


def test_writer_replaces_a_corpus_but_no_csv_of_the_user(tmp_path: Path) -> None:
    corpus = read_corpus(write_csv_folder(tmp_path / "user", table()))
    with pytest.raises(InputError, match=r"utterances\.csv is there.*another folder"):
        write_corpus(corpus, tmp_path / "user")
    write_corpus(replace(corpus, name="old"), tmp_path / "ours")
    write_corpus(corpus, tmp_path / "ours", [Problem(where="a.csv", row=7, what='odd, "quoted"', action="kept")])
    assert read_corpus(tmp_path / "ours") == corpus
    with (tmp_path / "ours" / "problems.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["where", "row", "what", "action"], ["a.csv", "7", 'odd, "quoted"', "kept"]]


@pytest.mark.parametrize("replaces_one", [False, True])
@pytest.mark.parametrize("syncs", range(5))
def test_killed_writer_leaves_no_folder_that_reads_as_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncs: int, replaces_one: bool
) -> None:
    corpus = read_corpus(write_csv_folder(tmp_path / "user", table()))
    if replaces_one:
        write_corpus(replace(corpus, name="old"), tmp_path / "ours")
    left = [syncs]

    def killed_at_last(descriptor: int) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed_at_last)
        with pytest.raises(KeyboardInterrupt):
            write_corpus(corpus, tmp_path / "ours")
    with pytest.raises(InputError, match="no such file"):
        read_corpus(tmp_path / "ours")
    write_corpus(corpus, tmp_path / "ours")
    assert read_corpus(tmp_path / "ours") == corpus


def assert_names(error: InputError, where: Path, row: int | None, fragments: list[str]) -> None:
    """The message names file and row and holds the fragments, the last of them in its remedy."""
    message = str(error)
    assert (error.where, error.row) == (str(where), row)
    assert message.startswith(str(where) + ("" if row is None else f", row {row}") + ": ")
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message
    assert fragments[-1] in error.remedy
