"""audformat databases: segmented and filewise tables as the library saves them, and what is refused before it reads."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import audformat
import pytest
from helpers.audformat_talks import Segment, index_of, segments_of, write_sounds, write_talks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmerl.corpus.readers import AudformatFields, read_audformat
from fmerl.errors import InputError

FIELDS = AudformatFields()
# Start in quarters of a second, speaker, emotion.
TALK = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["ann", "bob"]), st.sampled_from(["happy", "angry", None])),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each[0],
)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TALK, min_size=1, max_size=3))
def test_segments_are_turns_in_order_of_time(
    tmp_path_factory: pytest.TempPathFactory, talks: list[list[tuple[int, str, str | None]]]
) -> None:
    segments = segments_of(3) + [
        Segment(f"audio/more{place}.wav", start / 4, start / 4 + 0.5, speaker, f"{place} {start}", emotion, "train")
        for place, talk in enumerate(talks)
        for start, speaker, emotion in [(21, "ann", "happy"), *talk]
    ]
    folder = write_talks(tmp_path_factory.mktemp("database"), segments)
    corpus, _ = read_audformat(folder, FIELDS)
    assert len(list(corpus.utterances())) == len(segments)
    for dialogue in corpus.dialogues:
        expected = sorted((each for each in segments if each.file == dialogue.dialogue_id), key=lambda each: each.start)
        assert [
            (item.start, item.end, item.speaker, item.text, item.emotion, item.split) for item in dialogue.utterances
        ] == [
            (
                each.start,
                each.end,
                each.speaker,
                each.text,
                each.emotion,
                "validation" if each.split == "dev" else each.split,
            )
            for each in expected
        ]


@pytest.mark.parametrize("storage", ["csv", "parquet"])
def test_scores_classes_and_media_come_along(tmp_path: Path, storage: str) -> None:
    segments = segments_of()
    write_talks(tmp_path, segments, storage=storage)
    write_sounds(tmp_path, [item for item in segments if "talk0" not in item.file])
    corpus, problems = read_audformat(tmp_path, FIELDS)
    assert (corpus.name, corpus.vad_range) == ("talks", (1, 7))
    assert corpus.classes == ("neutral", "happy", "angry"), "in the scheme's order, without what never occurs"
    spoken = {item.utterance_id: item for item in corpus.utterances()}
    first, second = spoken["audio/talk0.wav#0-0.75"], spoken["audio/talk4.wav#1-1.75"]
    assert (first.valence, first.video_path, second.valence, second.dominance) == (1, None, 5, 7)
    assert (second.video_path, second.video_start, second.video_end) == (str(tmp_path / "audio/talk4.wav"), 1, 1.75)
    assert spoken["audio/talk4.wav#2-2.75"].valence is None, "context has no scores"
    assert [(problem.where, problem.what) for problem in problems] == [("audio/talk0.wav", "no such file")]


def test_scores_of_fewer_than_three_dimensions_are_told(tmp_path: Path) -> None:
    segments = segments_of()
    write_talks(tmp_path, segments, scores=False)
    database = audformat.Database.load(str(tmp_path))
    database["segments"]["arousal"] = audformat.Column()
    database["segments"]["arousal"].set([0.5] * len(segments))
    database.save(str(tmp_path))
    corpus, problems = read_audformat(tmp_path, FIELDS)
    assert all(item.arousal is None for item in corpus.utterances())
    assert [(problem.what, problem.action) for problem in problems if problem.on_screen] == [
        ("18 utterances with arousal alone", "scores left out")
    ]


def write_files(folder: Path) -> Path:
    """A database of whole files, three in each dialogue, with its splits and dialogues as columns."""
    database = audformat.Database("files", source="https://example.org", usage="research")
    files = [f"clip{number}.wav" for number in range(9)]
    database["files"] = audformat.Table(audformat.filewise_index(files))
    columns: dict[str, list[Any]] = {
        "mood": ["joy", "fear", None] * 3,
        "who": [1, 2, 1] * 3,
        "talk": [f"t{number // 3}" for number in range(9)],
        "part": [("train", "devel", "test")[number // 3] for number in range(9)],
    }
    for name, values in columns.items():
        database["files"][name] = audformat.Column()
        database["files"][name].set(values)
    database.save(str(folder))
    return folder


def test_files_are_utterances_of_the_dialogue_that_a_field_names(tmp_path: Path) -> None:
    write_files(tmp_path)
    fields = AudformatFields(emotion="mood", speaker="who", dialogue="talk", split="part")
    corpus, problems = read_audformat(tmp_path, fields)
    assert [dialogue.split for dialogue in corpus.dialogues] == ["train", "validation", "test"]
    assert [(item.utterance_id, item.turn, item.speaker, item.emotion) for item in corpus.dialogues[1].utterances] == [
        ("clip3.wav", 1, "1", "joy"),
        ("clip4.wav", 2, "2", "fear"),
        ("clip5.wav", 3, "1", None),
    ]
    assert [problem.action for problem in problems if problem.on_screen] == ["texts are empty"]
    with pytest.raises(InputError, match="its emotions are of whole files; name the field of their dialogue"):
        read_audformat(tmp_path, replace(fields, dialogue=None))
    (tmp_path / "clip3.wav").write_bytes(b"")
    corpus, _ = read_audformat(tmp_path, fields)
    assert corpus.dialogues[1].utterances[0].audio_path == str(tmp_path / "clip3.wav")


def test_a_dialogue_of_several_recordings_is_told(tmp_path: Path) -> None:
    segments = segments_of()
    write_talks(tmp_path, segments)
    database = audformat.Database.load(str(tmp_path))
    database["segments"]["meeting"] = audformat.Column()
    database["segments"]["meeting"].set([item.split for item in segments])
    database.save(str(tmp_path))
    corpus, problems = read_audformat(tmp_path, AudformatFields(dialogue="meeting"))
    assert {dialogue.dialogue_id: len(dialogue.utterances) for dialogue in corpus.dialogues} == dict.fromkeys(
        ("train", "dev", "test"), 6
    )
    assert all(
        [item.utterance_id for item in dialogue.utterances] == sorted(item.utterance_id for item in dialogue.utterances)
        for dialogue in corpus.dialogues
    )
    assert [(problem.what, problem.action) for problem in problems if problem.on_screen] == [
        ("3 dialogues of several files", "in the order of their files, then of time")
    ]


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        (
            AudformatFields(emotion="mood"),
            "--emotion: talks has no values of mood (found: arousal, dominance, emotion, speaker",
        ),
        (AudformatFields(split="part"), "nothing has the field part; name the field of the splits: --split"),
        (AudformatFields(dialogue="talk"), "dialogue_id '' is empty"),
        (AudformatFields(speaker="who"), "wav#0-0.75; name the field that holds the speakers: --speaker"),
    ],
)
def test_fields_that_are_not_there_are_named(tmp_path: Path, fields: AudformatFields, what: str) -> None:
    write_talks(tmp_path, segments_of())
    with pytest.raises(InputError) as caught:
        read_audformat(tmp_path, fields)
    assert what in str(caught.value)


def test_tables_that_disagree_are_chosen_from(tmp_path: Path) -> None:
    segments = segments_of()
    write_talks(tmp_path, segments)
    database = audformat.Database.load(str(tmp_path))
    labelled = [item for item in segments if item.emotion is not None]
    votes = database["votes"] = audformat.Table(index_of(labelled))
    votes["emotion"] = audformat.Column(scheme_id="emotion")
    votes["emotion"].set(["other"] * len(labelled))
    database.save(str(tmp_path))
    with pytest.raises(InputError, match=r"Found overlapping data.*--tables names the tables"):
        read_audformat(tmp_path, FIELDS)
    tables = ["emotion.train", "emotion.dev", "emotion.test"]
    corpus, _ = read_audformat(tmp_path, FIELDS, tables=tables)
    assert "other" not in corpus.classes
    with pytest.raises(InputError, match=r"--tables gold: no such table; take some of emotion\.dev"):
        read_audformat(tmp_path, FIELDS, tables=["gold"])


def test_what_runs_code_is_refused_before_the_library_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_talks(tmp_path, segments_of())
    monkeypatch.setattr(audformat.Database, "load", lambda *_: pytest.fail("the library was called"))
    pickled = tmp_path / "db.segments.pkl"
    pickled.write_bytes(b"")
    with pytest.raises(InputError, match=r"db\.segments\.pkl: a pickled table, which can run code"):
        read_audformat(tmp_path, FIELDS)
    pickled.unlink()
    header = tmp_path / "db.yaml"
    text = header.read_text()
    for content, what in (
        (text + "meta: !!python/tuple [1]\n", "its YAML makes objects of its own"),
        ("name: [", "no YAML"),
        ("- talks", "no header of a database"),
    ):
        header.write_text(content)
        with pytest.raises(InputError, match=what):
            read_audformat(tmp_path, FIELDS)
    header.unlink()
    with pytest.raises(InputError, match=r"db\.yaml: no such file; give a folder that audformat's Database\.save"):
        read_audformat(tmp_path, FIELDS)


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(InputError, match=r"audformat: cannot be imported .*; pip install 'fmerl\[audformat\]'"):
        read_audformat(tmp_path, FIELDS)


def test_a_broken_database_is_one_line(tmp_path: Path) -> None:
    write_talks(tmp_path, segments_of())
    (tmp_path / "db.segments.csv").unlink()
    with pytest.raises(InputError, match=r"audformat cannot read it \(No file found for table"):
        read_audformat(tmp_path, FIELDS)
