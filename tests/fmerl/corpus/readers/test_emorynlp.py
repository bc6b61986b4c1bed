"""EmoryNLP in both its forms, made up: the same utterances, and what is odd or refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmerl.corpus.readers import read_emorynlp
from fmerl.corpus.readers.emorynlp import CLASSES
from fmerl.corpus.readers.sizes import unusual_sizes
from fmerl.errors import InputError

NAMES = st.text(st.characters(categories=["L"], max_codepoint=0x2FF), min_size=1, max_size=8)
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=12)
UTTERANCES = st.fixed_dictionaries(
    {"speakers": st.lists(NAMES, max_size=3), "transcript": TEXTS, "emotion": st.sampled_from(CLASSES)}
)
# By season, episode, scene and number.
RELEASES = st.dictionaries(
    st.tuples(st.integers(1, 4), st.integers(1, 25), st.integers(1, 20), st.integers(1, 40)),
    UTTERANCES,
    min_size=1,
    max_size=8,
)
Release = dict[tuple[int, int, int, int], dict[str, Any]]
PLAIN: Release = {
    (1, 2, 1, 1): {"speakers": ["Ann"], "transcript": "Hi.", "emotion": "Joyful"},
    (1, 2, 1, 3): {"speakers": ["Bob", "Cy"], "transcript": "Oh!", "emotion": "Mad"},
    (2, 2, 1, 1): {"speakers": [], "transcript": " ", "emotion": "Neutral"},
}


def names_of(key: tuple[int, int, int, int]) -> tuple[str, str, str]:
    season, episode, scene, number = key
    scene_id = f"s{season:02}_e{episode:02}_c{scene:02}"
    return scene_id.rpartition("_")[0], scene_id, f"{scene_id}_u{number:03}"


def write_json(folder: Path, release: Release = PLAIN) -> Path:
    for place, split in enumerate(("trn", "dev", "tst")):
        scenes: dict[str, dict[str, list[Any]]] = {}
        for key, item in release.items():
            episode, scene, name = names_of((key[0] + 10 * place, *key[1:]))
            utterances = scenes.setdefault(episode, {}).setdefault(scene, [])
            utterances.append({"utterance_id": name, "tokens": [], **item, "emotion": item["emotion"].capitalize()})
        episodes = [
            {"episode_id": episode, "scenes": [{"scene_id": name, "utterances": each} for name, each in found.items()]}
            for episode, found in scenes.items()
        ]
        (folder / f"emotion-detection-{split}.json").write_text(json.dumps({"season_id": "s01", "episodes": episodes}))
    return folder


def write_csvs(folder: Path, release: Release = PLAIN) -> Path:
    for place, split in enumerate(("train", "dev", "test")):
        with (folder / f"emorynlp_{split}_final.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            header = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time"
            table.writerow(header.split(","))
            for (season, episode, scene, number), item in release.items():
                values = [item["transcript"], item["speakers"], item["emotion"].capitalize()]
                places = [scene, number, season + 10 * place, episode]
                table.writerow([*values, *places, "00:00:02.877", "00:01:07.500"])
    return folder


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RELEASES)
def test_both_forms_give_the_same_utterances(tmp_path_factory: pytest.TempPathFactory, release: Release) -> None:
    folders = tmp_path_factory.mktemp("json"), tmp_path_factory.mktemp("csv")
    (first, problems), (second, others) = (
        read_emorynlp(write(folder, release)) for write, folder in zip((write_json, write_csvs), folders, strict=True)
    )
    told = [
        {
            item.utterance_id: (item.dialogue_id, item.turn, item.speaker, item.text, item.emotion, item.split)
            for item in corpus.utterances()
        }
        for corpus in (first, second)
    ]
    assert told[0] == told[1]
    assert len(told[0]) == 3 * len(release)
    planted = sum((len(each["speakers"]) != 1) + (not each["transcript"].strip()) for each in release.values())
    assert len(problems) == len(others) == 3 * planted


def test_odd_utterances_are_kept_and_listed(tmp_path: Path) -> None:
    corpus, problems = read_emorynlp(write_csvs(tmp_path))
    first, second, third = list(corpus.utterances())[:3]
    assert (first.utterance_id, first.dialogue_id, first.turn, first.emotion) == (
        "s01_e02_c01_u001",
        "s01_e02_c01",
        1,
        "joyful",
    )
    assert (first.start, first.end) == (2.877, 67.5)
    assert (second.speaker, second.turn, third.speaker, third.dialogue_id) == ("Bob & Cy", 3, "unknown", "s02_e02_c01")
    assert [(problem.row, problem.what, problem.action) for problem in problems][:3] == [
        (3, "s01_e02_c01_u003: 2 speakers", "said by 'Bob & Cy'"),
        (4, "s02_e02_c01_u001: no speakers", "said by 'unknown'"),
        (4, "s02_e02_c01_u001: empty transcript", "kept"),
    ]
    (told, *_) = unusual_sizes(corpus)
    assert told.what == "3 utterances in 2 dialogues, where EMORYNLP's train has 9,934 in 713 or 7,551 in 659"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"emotion": "Glad"}, "s01_e02_c01_u001: unknown emotion 'Glad'; use one of neutral, joyful"),
        ({"speakers": "Ann"}, "speakers 'Ann' are no list of names"),
        ({"speakers": [" "]}, "are no list of names"),
        ({"transcript": None}, "its transcript is no text"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, change: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError) as caught:
        read_emorynlp(write_json(tmp_path, {(1, 2, 1, 1): {**PLAIN[1, 2, 1, 1], **change}}))
    assert what in str(caught.value)


def test_files_that_are_none_of_a_release_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"emorynlp_train_final\.csv: no such file"):
        read_emorynlp(tmp_path)
    write_json(tmp_path)
    path = tmp_path / "emotion-detection-tst.json"
    path.write_text('{"episodes": [{"scenes": 3}]}')
    with pytest.raises(InputError, match=r"tst\.json: no episodes of scenes of utterances"):
        read_emorynlp(tmp_path)
    path.write_text((tmp_path / "emotion-detection-dev.json").read_text())
    with pytest.raises(InputError, match="s11_e02_c01_u001: it stands twice"):
        read_emorynlp(tmp_path)
    write_csvs(tmp_path)
    for name in ("trn", "dev", "tst"):
        (tmp_path / f"emotion-detection-{name}.json").unlink()
    table = tmp_path / "emorynlp_dev_final.csv"
    table.write_text(table.read_text().replace("['Ann']", "Ann"))
    with pytest.raises(InputError, match=r"dev_final\.csv, row 2: .* speakers 'Ann' are no list"):
        read_emorynlp(tmp_path)
