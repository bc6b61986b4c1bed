"""Conversations from every kind of file: the same turns, names filled in, faults told by row."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmerl.corpus import Utterance
from fmerl.corpus.conversations import dialogues_of, parse_turns, pieces, read_turns, turns_of
from fmerl.errors import InputError

NAMES = st.text(st.characters(categories=("L", "N"), max_codepoint=0x2FF), min_size=1, max_size=6)
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
TALKS = st.lists(st.lists(st.tuples(NAMES, TEXTS), min_size=1, max_size=4), min_size=1, max_size=4)


def read(path: Path, **options: Any) -> list[Utterance]:
    return [utterance for piece in pieces(read_turns(path, **options), (1, 5)) for utterance in piece]


def write_every_kind(folder: Path, talks: list[list[tuple[str, str]]]) -> list[Path]:
    rows = [
        {"dialogue_id": f"d{number}", "speaker": speaker, "text": text}
        for number, talk in enumerate(talks)
        for speaker, text in talk
    ]
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["dialogue_id", "speaker", "text"])
        table.writeheader()
        table.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    (folder / "b.parquet").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "b.parquet" / "part-0.parquet")
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    chats = [
        {"id": f"d{number}", "messages": [{"role": speaker, "content": text} for speaker, text in talk]}
        for number, talk in enumerate(talks)
    ]
    (folder / "b.json").write_text(json.dumps(chats), encoding="utf-8")
    (folder / "c.json").write_text(json.dumps({"conversations": chats}), encoding="utf-8")
    (folder / "b.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")
    return sorted(folder.iterdir())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(TALKS)
def test_every_kind_of_file_gives_the_same_utterances(
    tmp_path_factory: pytest.TempPathFactory, talks: list[list[tuple[str, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("talks")
    files = write_every_kind(folder, talks)
    found = [read(path) for path in files]
    for path in files:
        if path.suffix in (".csv", ".json"):
            sent = parse_turns(path, path.read_bytes(), csv=path.suffix == ".csv")
            assert [row.cells for row in sent] == [row.cells for row in read_turns(path)]
    assert all(utterances == found[0] for utterances in found)
    assert [[(each.speaker, each.text) for each in dialogue.utterances] for dialogue in dialogues_of(found[0])] == talks
    assert len({utterance.utterance_id for utterance in found[0]}) == len(found[0])


def test_speaker_and_text_are_enough(tmp_path: Path) -> None:
    (tmp_path / "dinner.csv").write_text("text,speaker,mood\nHi,A,x\n,B,y\n", encoding="utf-8")
    first, second = read(tmp_path / "dinner.csv")
    assert (first.dialogue_id, first.turn, first.utterance_id) == ("dinner", 1, "dinner_1")
    assert (second.text, second.utterance_id, second.emotion) == ("", "dinner_2", None)
    with pytest.raises(InputError, match="a turn has no text"):
        list(turns_of([{"speaker": "A"}]))


def test_messages_in_parts_and_segments_of_a_transcript(tmp_path: Path) -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url"}], "extra": {}}]
    (tmp_path / "a.json").write_text(json.dumps({"messages": parts}), encoding="utf-8")
    assert [turn.text for turn in read(tmp_path / "a.json")] == ["Hi"]
    segments = [{"id": 0, "speaker": "SPEAKER_00", "text": "Hi", "start": 0.5, "end": 1.25, "words": [{"word": "Hi"}]}]
    (tmp_path / "b.json").write_text(json.dumps({"segments": segments, "video_path": "b.mp4"}), encoding="utf-8")
    (segment,) = read(tmp_path / "b.json")
    assert (segment.video_path, segment.video_start, segment.video_end) == ("b.mp4", 0.5, 1.25)
    (tmp_path / "c.json").write_text(json.dumps({"segments": segments}), encoding="utf-8")
    (segment,) = read(tmp_path / "c.json")
    assert (segment.start, segment.end, segment.video_start) == (0.5, 1.25, None)


def test_rows_keep_their_order_and_turns_sort_the_dialogue(tmp_path: Path) -> None:
    table = "dialogue_id,turn,speaker,text\na,2,A,later\nb,1,B,else\na,1,B,first\n"
    (tmp_path / "x.csv").write_text(table, encoding="utf-8")
    found = read(tmp_path / "x.csv")
    assert [utterance.text for utterance in found] == ["later", "else", "first"]
    assert [each.text for each in dialogues_of(found)[0].utterances] == ["first", "later"]


def test_a_corpus_folder_is_its_table(tmp_path: Path) -> None:
    table = "dialogue_id,speaker,text,split,emotion\na,A,x,train,joy\nb,B,y,test,never heard of\n"
    (tmp_path / "utterances.csv").write_text(table, encoding="utf-8")
    assert [utterance.text for utterance in read(tmp_path)] == ["x", "y"]
    assert [utterance.text for utterance in read(tmp_path, split="test")] == ["y"]


def test_large_inputs_come_in_pieces_of_whole_dialogues() -> None:
    records = [{"dialogue_id": f"d{number // 3}", "speaker": "A", "text": str(number)} for number in range(20)]
    found = list(pieces(turns_of(records), (1, 5), size=4))
    assert [len(piece) for piece in found] == [6, 6, 6, 2]
    assert [utterance.text for piece in found for utterance in piece] == [str(number) for number in range(20)]
    with pytest.raises(InputError, match="row 21: dialogue 'd0' comes back after others"):
        list(pieces(turns_of([*records, records[0]]), (1, 5), size=4))


FAULTS: dict[str, tuple[str | bytes, str]] = {
    "x.txt": ("hello", "no conversation; give a corpus folder, or a file that ends in .csv"),
    "empty.csv": ("", "empty file"),
    "columns.csv": ("speaker,words\nA,x\n", "missing column text"),
    "short.csv": ("speaker,text\nA\n", "row 2: 1 cells where the header has 2"),
    "quote.csv": ('speaker,text\nA,"x\n', "broken CSV"),
    "latin.csv": (b"speaker,text\nA,caf\xe9\n", "not all UTF-8"),
    "blank.csv": ("speaker,text\n,x\n", "row 2: speaker '' is empty"),
    "turn.csv": ("speaker,text,turn\nA,x,one\n", "row 2: turn 'one' is not an integer"),
    "twice.csv": ("utterance_id,speaker,text\nu,A,x\nu,A,y\n", "row 3: utterance_id 'u' is also that of row 2"),
    "no.parquet": ("x", "unreadable Parquet file"),
    "no.json": ("{", "no JSON"),
    "deep.json": ("[" * 20_000 + "]" * 20_000, "no JSON|no turn and no conversation"),
    "number.json": ("3", "no list of turns"),
    "words.json": ('["hello"]', "row 1: .* is no turn and no conversation"),
    "part.json": ('[{"speaker": "A", "text": {"x": 1}}]', "row 1: text is neither text nor number"),
    "list.json": ('{"messages": "hello"}', "messages is no list of turns"),
    "line.jsonl": ('{"speaker": "A", "text": "x"}\n{"speaker"\n', "row 2: no JSON"),
    "latin.jsonl": (b'{"speaker": "\xe9"}', "not all UTF-8"),
    "half.jsonl": ('{"speaker": "A", "text": "\\ud800"}', "row 1: text holds half of a surrogate pair"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_told_in_one_line(tmp_path: Path, name: str) -> None:
    content, said = FAULTS[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=said) as refused:
        read(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        read(tmp_path / "x.csv")
    with pytest.raises(InputError, match="no conversation"):
        read(tmp_path)
    (tmp_path / "x.csv").write_text("speaker,text\nA,x\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 2: there is no split; leave --split out"):
        read(tmp_path / "x.csv", split="test")
