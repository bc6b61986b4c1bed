"""ConvoKit folders, made up in the layouts of its dump and of older releases."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmerl.corpus import Corpus, Problem
from fmerl.corpus.readers import read_convokit
from fmerl.errors import InputError

EMOTIONS = st.sampled_from(["joy", "anger", None])
Talks = list[list[tuple[str | None, int | None]]]
TALKS: st.SearchStrategy[Talks] = st.lists(
    st.lists(st.tuples(EMOTIONS, st.integers(0, 9)), min_size=1, max_size=5), min_size=3, max_size=6
)
"""Emotions and timestamps by conversation."""
SPLITS = ("train", "val", "test")


def records_of(talks: Talks) -> list[dict[str, Any]]:
    """Utterances as ConvoKit 5 dumps them."""
    return [
        {
            "id": f"c{place}_{turn}",
            "conversation_id": f"c{place}_0",
            "text": f"text {place} {turn}",
            "speaker": "ann" if turn % 2 else "bob",
            "meta": {"emotion": emotion, "tags": ["a", "b"]},
            "reply-to": f"c{place}_{turn - 1}" if turn else None,
            "timestamp": time,
            "vectors": [],
        }
        for place, talk in enumerate(talks)
        for turn, (emotion, time) in enumerate(talk)
    ]


PLAIN = records_of([[("joy", 1), ("anger", 2)], [("joy", 1)], [("anger", 1), (None, 2)]])


def write_folder(folder: Path, records: list[dict[str, Any]]) -> Path:
    (folder / "utterances.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    names = dict.fromkeys(str(record["conversation_id"]) for record in records)
    conversations = {name: {"meta": {"split": SPLITS[place % 3]}, "vectors": []} for place, name in enumerate(names)}
    (folder / "conversations.json").write_text(json.dumps(conversations))
    (folder / "speakers.json").write_text(json.dumps({"ann": {"meta": {}, "vectors": []}}))
    (folder / "corpus.json").write_text("{}")
    return folder


def write_older(folder: Path, records: list[dict[str, Any]]) -> Path:
    """The same in the older layout: `user` and `root`, one JSON list, and no `meta` in conversations.json."""
    write_folder(folder, records)
    older = {"speaker": "user", "conversation_id": "root"}
    renamed = [{older.get(key, key): value for key, value in record.items()} for record in records]
    (folder / "utterances.jsonl").unlink()
    (folder / "utterances.json").write_text(json.dumps(renamed))
    conversations = json.loads((folder / "conversations.json").read_text())
    (folder / "conversations.json").write_text(json.dumps({name: each["meta"] for name, each in conversations.items()}))
    return folder


def read(folder: Path) -> tuple[Corpus, list[Problem]]:
    corpus, problems = read_convokit(folder, emotion="emotion", split="split")
    return replace(corpus, name="talks"), problems


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TALKS, st.randoms(use_true_random=False))
def test_conversations_are_in_order_of_time_in_either_layout(
    tmp_path_factory: pytest.TempPathFactory, talks: Talks, random: Any
) -> None:
    records = records_of([[("joy", 0), ("anger", 0), *talks[0]], *talks[1:]])
    random.shuffle(records)
    corpus, problems = read(write_folder(tmp_path_factory.mktemp("new"), records))
    older, _ = read(write_older(tmp_path_factory.mktemp("old"), records))
    assert (corpus, problems) == (older, [])
    assert len(list(corpus.utterances())) == len(records)
    for dialogue in corpus.dialogues:
        expected = sorted(
            (record for record in records if record["conversation_id"] == dialogue.dialogue_id),
            key=lambda record: record["timestamp"],
        )
        assert [
            (item.utterance_id, item.speaker, item.text, item.emotion, item.turn) for item in dialogue.utterances
        ] == [
            (each["id"], each["speaker"], each["text"], each["meta"]["emotion"], turn)
            for turn, each in enumerate(expected, start=1)
        ]


def test_conversations_without_all_times_keep_the_order_of_the_file(tmp_path: Path) -> None:
    records = records_of([[("joy", 5), ("anger", None), ("joy", 1)], [("joy", None), ("joy", None)], [("anger", None)]])
    corpus, problems = read(write_folder(tmp_path, records))
    assert [item.utterance_id for item in corpus.dialogues[0].utterances] == ["c0_0", "c0_1", "c0_2"]
    assert [(problem.row, problem.what) for problem in problems] == [(2, "1 of 3 utterances of c0_0 have no timestamp")]


def test_times_as_text_are_numbers(tmp_path: Path) -> None:
    records = records_of([[("joy", 10), ("anger", 9)], [("joy", 1)], [("joy", 1)]])
    for record in records:
        record["timestamp"] = str(record["timestamp"])
    corpus, _ = read(write_folder(tmp_path, records))
    assert [item.utterance_id for item in corpus.dialogues[0].utterances] == ["c0_1", "c0_0"]


def test_several_emotions_are_context_and_listed(tmp_path: Path) -> None:
    records = json.loads(json.dumps(PLAIN))
    for record, emotion in zip(records, (["joy", "fear"], ["anger"], 4, [], "joy"), strict=True):
        record["meta"]["emotion"] = emotion
    corpus, problems = read(write_folder(tmp_path, records))
    assert [item.emotion for item in corpus.utterances()] == [None, "anger", "4", None, "joy"]
    assert [(problem.row, problem.what, problem.action) for problem in problems] == [
        (1, "2 values of emotion", "kept as context")
    ]


def test_what_data_frames_leave_as_nan_is_missing(tmp_path: Path) -> None:
    records = records_of([[("joy", 1), ("anger", 2)], [("joy", 1)], [("anger", 1)]])
    for key in ("timestamp", "text"):
        records[1][key] = float("nan")
    records[1]["meta"] = {"emotion": float("nan"), "split": "train"}
    write_folder(tmp_path, records)
    conversations = json.loads((tmp_path / "conversations.json").read_text())
    conversations["c0_0"]["meta"]["year"] = float("nan")
    (tmp_path / "conversations.json").write_text(json.dumps(conversations))
    corpus, _ = read(tmp_path)
    assert [(item.text, item.emotion) for item in corpus.dialogues[0].utterances] == [("text 0 0", "joy"), ("", None)]
    records[1]["speaker"] = float("nan")
    with pytest.raises(InputError, match="row 2: an utterance has no speaker"):
        read(write_folder(tmp_path, records))


def test_without_a_split_dialogues_are_dealt_alike_in_any_order(tmp_path: Path) -> None:
    talks: Talks = [[("joy", 1), ("anger", 2)] for _ in range(20)]
    records = records_of([*talks, [(None, 1)]])
    dealt = []
    for order in (records, records[::-1]):
        corpus, problems = read_convokit(write_folder(tmp_path, order), emotion="emotion")
        (told,) = problems
        assert (told.action, told.on_screen) == ("dialogues are dealt by a hash of their ids, 8 to 1 to 1", True)
        dealt.append({dialogue.dialogue_id: dialogue.split for dialogue in corpus.dialogues})
    assert dealt[0] == dealt[1]
    assert sorted(dealt[0].values()) == ["test"] * 2 + ["train"] * 17 + ["validation"] * 2
    assert dealt[0]["c20_0"] == "train", "a dialogue without a target"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"speaker": None}, "utterances.jsonl, row 1: an utterance has no speaker"),
        ({"conversation_id": None}, "an utterance has no conversation_id"),
        ({"id": "c0_1"}, "utterance_id 'c0_1' is also that of row"),
        ({"id": " c0_0"}, "utterance_id ' c0_0' is empty or has white space around it"),
        ({"text": {"a": 1}}, "row 1: text is neither text nor number"),
        ({"meta": {"emotion": {"joy": 1}}}, "row 1: emotion is neither text nor number"),
        ({"meta": {"emotion": "<##bin{0}&&@**>"}}, "emotion is kept in a pickle, which can run code"),
        ({"meta": {"emotion": "joy "}}, "emotion 'joy ' has white space around it"),
        ({"meta": {"emotion": "joy", "split": "fold1"}}, "unknown split 'fold1'"),
        ({"meta": {"emotion": "joy", "split": "test"}}, "dialogue 'c0_0' is in"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, change: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError) as caught:
        read(write_folder(tmp_path, [{**PLAIN[0], **change}, *PLAIN[1:]]))
    assert what in str(caught.value)


def test_what_is_no_folder_of_this_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"utterances\.json: no such file; give a folder that ConvoKit's Corpus\.dump"):
        read(tmp_path)
    write_folder(tmp_path, PLAIN)
    with pytest.raises(InputError, match=r"no utterance has the field mood \(found: emotion, tags\)"):
        read_convokit(tmp_path, emotion="mood")
    with pytest.raises(InputError, match="nothing has the field part; name the field of the splits: --split"):
        read_convokit(tmp_path, emotion="emotion", split="part")
    with pytest.raises(InputError, match=r"utterances\.jsonl: one emotion in all of it"):
        read_convokit(write_folder(tmp_path, records_of([[("joy", 1)]] * 4)), emotion="emotion")
    (tmp_path / "utterances.jsonl").write_text('{"id": 1\n')
    with pytest.raises(InputError, match=r"utterances\.jsonl, row 1: no JSON"):
        read(tmp_path)
    (tmp_path / "utterances.jsonl").write_text("[1]\n")
    with pytest.raises(InputError, match="row 1: no utterance, which is a JSON object"):
        read(tmp_path)
