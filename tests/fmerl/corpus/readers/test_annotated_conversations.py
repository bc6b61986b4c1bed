"""Annotated conversations: the same corpus from every kind of file that conversations come in."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmerl.corpus import Corpus, read_corpus
from fmerl.corpus.readers import read_conversations
from fmerl.errors import InputError

SPLITS = ("train", "dev", "test")
TURNS = st.lists(
    st.tuples(st.sampled_from(["ann", "bob"]), st.text("ab c", max_size=5), st.sampled_from(["joy", "anger", ""])),
    min_size=1,
    max_size=4,
)
Talks = list[list[tuple[str, str, str]]]
PLAIN: Talks = [[("ann", "Hi", "joy"), ("bob", "Oh", "anger")]] * 3


def write_every_kind(folder: Path, talks: Talks) -> list[Path]:
    rows = [
        {"dialogue_id": f"d{place}", "split": SPLITS[place % 3], "speaker": speaker, "text": text, "mood": mood}
        for place, talk in enumerate(talks)
        for speaker, text, mood in talk
    ]
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    pq.write_table(pa.Table.from_pylist(rows), folder / "b.parquet")
    (folder / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    chats: list[dict[str, Any]] = [
        {
            "id": f"d{place}",
            "split": SPLITS[place % 3],
            "messages": [
                {"role": speaker, "content": text, **({"mood": mood} if mood else {})} for speaker, text, mood in talk
            ],
        }
        for place, talk in enumerate(talks)
    ]
    (folder / "d.json").write_text(json.dumps(chats))
    segments = [{**chat, "segments": chat["messages"]} for chat in chats]
    for each in segments:
        del each["messages"]
    (folder / "e.json").write_text(json.dumps(segments))
    return sorted(folder.iterdir())


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TURNS, min_size=1, max_size=4))
def test_every_kind_of_file_gives_the_same_corpus(tmp_path_factory: pytest.TempPathFactory, talks: Talks) -> None:
    talks = [*PLAIN, *talks]
    found = [
        read_conversations(path, emotion="mood") for path in write_every_kind(tmp_path_factory.mktemp("talks"), talks)
    ]
    assert all(replace(corpus, name="a") == found[0][0] for corpus, _ in found)
    assert all(problems == [] for _, problems in found)
    corpus, _ = found[0]
    assert corpus.classes == ("anger", "joy")
    assert [
        [(item.speaker, item.text, item.emotion or "") for item in dialogue.utterances] for dialogue in corpus.dialogues
    ] == talks
    assert [dialogue.split for dialogue in corpus.dialogues][:3] == ["train", "validation", "test"]


def test_diarised_segments_with_their_recording(tmp_path: Path) -> None:
    talks = [
        {
            "dialogue_id": f"r{place}",
            "video_path": f"talks/r{place}.wav",
            "segments": [
                {"start": 0.5, "end": 2, "text": " Hi", "speaker": "SPEAKER_00", "emotion": "joy", "words": [{}]},
                {"start": 2, "end": 3.25, "text": " Oh", "speaker": "SPEAKER_01", "emotion": "anger"},
                {"start": 3.5, "end": 4, "text": " Hm", "speaker": "SPEAKER_01"},
            ],
        }
        for place in range(3)
    ]
    path = tmp_path / "talks.json"
    path.write_text(json.dumps(talks))
    corpus, problems = read_conversations(path)
    first, _, third = corpus.dialogues[0].utterances
    assert (first.video_path, first.video_start, first.video_end) == (str(tmp_path / "talks" / "r0.wav"), 0.5, 2)
    assert (first.text, first.speaker, third.emotion) == (" Hi", "SPEAKER_00", None)
    assert [problem.what for problem in problems] == ["the source has no splits"]
    assert {dialogue.split for dialogue in corpus.dialogues} == {"train", "validation", "test"}


def test_scores_need_their_range(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"d{place},ann,Hi,{'joy' if place else 'anger'},{place},{place},{place}" for place in range(4)]
    path.write_text("dialogue_id,speaker,text,emotion,valence,arousal,dominance\n" + "\n".join(rows) + "\n")
    with pytest.raises(InputError, match="row 2: it has scores, whose range is not known; give it: --vad-range"):
        read_conversations(path)
    corpus, _ = read_conversations(path, vad_range=(0, 4))
    assert (corpus.vad_range, [item.valence for item in corpus.utterances()]) == ((0, 4), [0, 1, 2, 3])
    with pytest.raises(InputError, match="valence '3' is not a number from 0 to 2"):
        read_conversations(path, vad_range=(0, 2))


def test_classes_that_differ_in_case_are_told(tmp_path: Path) -> None:
    talks = [[("ann", "Hi", mood)] for mood in ("joy", "Joy", "anger")]
    path = write_every_kind(tmp_path, talks)[0]
    corpus, (problem,) = read_conversations(path, emotion="mood")
    assert corpus.classes == ("Joy", "anger", "joy")
    assert (problem.what, problem.on_screen) == ("classes Joy and joy differ in their letters' case alone", True)
    assert problem.action == "kept apart; --classes joy=Joy makes them one"


def test_a_corpus_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    rows = [
        f"u{place},d{place},0,ann,Hi,{'joy' if place else 'anger'},{split},clips/{place}.mp4"
        for place, split in enumerate(("train", "validation", "test"))
    ]
    header = "utterance_id,dialogue_id,turn,speaker,text,emotion,split,video_path"
    (tmp_path / "utterances.csv").write_text("\n".join([header, *rows]) + "\n")
    (tmp_path / "corpus.json").write_text('{"name": "mine", "classes": ["joy", "anger", "fear"], "vad_range": [1, 9]}')
    corpus, problems = read_conversations(tmp_path)
    kept: Corpus = read_corpus(tmp_path)
    assert (corpus.name, corpus.classes, corpus.vad_range, problems) == ("mine", kept.classes, kept.vad_range, [])
    assert next(item.video_path for item in corpus.utterances()) == str(tmp_path / "clips" / "0.mp4")
    with pytest.raises(InputError, match="a corpus folder is taken as it is; leave --emotion and --vad-range out"):
        read_conversations(tmp_path, emotion="mood")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("speaker,text\nann,Hi\n", "no turn has a field emotion; name the field that holds the emotion: --emotion"),
        ("speaker,text,emotion\nann,Hi,\n", "a.csv: no emotion in all of it"),
        ("speaker,text,emotion\nann,Hi,joy\nann,Oh,joy\n", "a.csv: one emotion in all of it"),
        ("speaker,text,emotion\nann,Hi,joy\nann,Oh,fear\n", "a.csv: 1 labelled dialogues, to be dealt to three splits"),
        ("speaker,text,emotion,split\nann,Hi,joy,train\nann,Oh,fear,\n", "row 3: no split, which row 2 has"),
        ("speaker,text,emotion,split\nann,Hi,joy,train\n,Oh,fear,train\n", "row 3: speaker '' is empty"),
        ("speaker,emotion\nann,joy\n", "missing column text"),
        ("speaker,text,emotion\n", "no turn has a field emotion"),
    ],
)
def test_what_makes_no_corpus_is_named(tmp_path: Path, content: str, what: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(InputError) as caught:
        read_conversations(tmp_path / "a.csv")
    assert what in str(caught.value)
