"""MELD's raw release with its clips: what is read is what was written, and every oddity is a listed row."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from helpers.raw_meld import RELEASE, write_meld
from hypothesis import given, settings

from fmerl.corpus import Problem, media_file, read_corpus, write_corpus
from fmerl.corpus.readers import read_meld
from fmerl.corpus.readers.meld_media import CLIP_FOLDERS, with_media
from fmerl.errors import InputError


def key(problem: Problem) -> tuple[str, int, str, str]:
    return problem.where, problem.row, problem.what, problem.action


@settings(max_examples=60)
@given(release=RELEASE)
def test_release_reads_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, release: Mapping[str, Any]) -> None:
    root = tmp_path_factory.getbasetemp() / "meld"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    written = write_meld(release, root)
    corpus, problems = read_meld(root)
    corpus, more = with_media(corpus, root)
    assert list(corpus.utterances()) == written.utterances
    assert sorted(map(key, [*problems, *more])) == sorted(map(key, written.problems))


def turn(number: int) -> dict[str, Any]:
    return {"turn": number, "text": "Hi.", "speaker": "Ross", "emotion": "joy", "oddity": None}


def plain(**dialogues: dict[int, list[int]]) -> dict[str, Any]:
    """A sound release of the named turns; one utterance in splits that are not named."""
    return {
        prefix: {
            "dialogues": {
                name: [turn(number) for number in numbers] for name, numbers in dialogues.get(prefix, {0: [0]}).items()
            },
            "oddities": set(),
        }
        for prefix in CLIP_FOLDERS
    }


def test_known_bad_clips_are_not_used_and_suspect_ones_are_listed(tmp_path: Path) -> None:
    bad = {
        "train": {125: [3, 4], 309: [0], 338: [3]},
        "test": {38: [4], 155: [3], 220: [0], 279: [15]},
    }
    write_meld(plain(**bad), tmp_path)
    corpus, problems = with_media(read_meld(tmp_path)[0], tmp_path)
    without = {item.utterance_id for item in corpus.utterances() if item.video_path is None}
    assert without == {
        "train_dia125_utt3",
        "train_dia309_utt0",
        "train_dia338_utt3",
        "test_dia38_utt4",
        "test_dia155_utt3",
        "test_dia220_utt0",
    }
    assert all(item.audio_path == item.video_path for item in corpus.utterances())
    listed = {problem.where: (problem.what, problem.action) for problem in problems}
    assert len(listed) == 7
    assert listed["train_splits/dia125_utt3.mp4"] == ("the clip is corrupt", "kept without audio and video")
    assert listed["output_repeated_splits_test/dia279_utt15.mp4"] == ("the clip is known to be suspect", "kept")


def test_paths_survive_the_corpus_folder(tmp_path: Path) -> None:
    (tmp_path / "meld").mkdir()
    write_meld(plain(), tmp_path / "meld")
    corpus, problems = with_media(read_meld(tmp_path / "meld")[0], tmp_path / "meld")
    write_corpus(corpus, tmp_path / "corpus", problems)
    for utterance in read_corpus(tmp_path / "corpus").utterances():
        assert utterance.video_path is not None
        assert media_file(tmp_path / "corpus", utterance.video_path).is_file()


def test_absent_clips_of_a_split_are_listed_and_those_of_all_named(tmp_path: Path) -> None:
    write_meld(plain(), tmp_path)
    shutil.rmtree(tmp_path / "dev_splits_complete")
    (tmp_path / "output_repeated_splits_test").rename(tmp_path / "final_videos_test")
    corpus, problems = with_media(read_meld(tmp_path)[0], tmp_path)
    paths = {item.split: item.video_path for item in corpus.utterances()}
    assert paths["validation"] is None
    assert paths["test"] == str(tmp_path / "final_videos_test" / "dia0_utt0.mp4")
    assert [(problem.what, problem.action, problem.on_screen) for problem in problems] == [
        ("no folder dev_splits_complete", "1 utterances without audio and video", True)
    ]
    for name in ("train_splits", "final_videos_test"):
        shutil.rmtree(tmp_path / name)
    with pytest.raises(InputError, match=r"none of train_splits, dev_splits_complete.* is there; unpack the clips"):
        with_media(read_meld(tmp_path)[0], tmp_path)
