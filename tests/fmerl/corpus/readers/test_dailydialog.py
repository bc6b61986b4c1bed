"""DailyDialog's release, made up: folders and zip files, and lines that do not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmerl.corpus import SPLITS
from fmerl.corpus.readers import read_dailydialog
from fmerl.corpus.readers.dailydialog import CLASSES
from fmerl.corpus.readers.sizes import unusual_sizes
from fmerl.errors import InputError

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="_"), max_size=12)
Talks = list[list[tuple[str, int]]]
TALKS: st.SearchStrategy[Talks] = st.lists(
    st.lists(st.tuples(TEXTS, st.integers(0, 6)), min_size=1, max_size=4), min_size=1, max_size=4
)
PLAIN: Talks = [[("Hello .", 0), ("Good morning , sir .", 4)], [("No !", 1)]]


def write_release(folder: Path, talks: Talks = PLAIN) -> Path:
    for split in SPLITS:
        (folder / split).mkdir(parents=True, exist_ok=True)
        texts = "".join("".join(f"{text} __eou__ " for text, _ in talk).rstrip(" ") + "\n" for talk in talks)
        emotions = "".join("".join(f"{number} " for _, number in talk) + "\n" for talk in talks)
        (folder / split / f"dialogues_{split}.txt").write_text(texts, encoding="utf-8", newline="")
        (folder / split / f"dialogues_emotion_{split}.txt").write_text(emotions, encoding="utf-8", newline="")
    return folder


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TALKS)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, talks: Talks) -> None:
    corpus, problems = read_dailydialog(write_release(tmp_path_factory.mktemp("release"), talks))
    for split in SPLITS:
        found = [dialogue for dialogue in corpus.dialogues if dialogue.split == split]
        assert [[(item.text, item.emotion) for item in dialogue.utterances] for dialogue in found] == [
            [(text.strip(), CLASSES[number]) for text, number in talk] for talk in talks
        ]
    assert len(problems) == 3 * sum(not text.strip() for talk in talks for text, _ in talk)


def test_speakers_take_turns_and_zip_files_are_read_alike(tmp_path: Path) -> None:
    unpacked, packed = tmp_path / "unpacked", tmp_path / "packed"
    corpus, _ = read_dailydialog(write_release(unpacked))
    packed.mkdir()
    for split in SPLITS:
        shutil.make_archive(str(packed / split), "zip", unpacked, split)
    assert read_dailydialog(packed)[0] == corpus
    assert [(item.utterance_id, item.speaker) for item in corpus.dialogues[0].utterances] == [
        ("train_dia0_utt0", "A"),
        ("train_dia0_utt1", "B"),
    ]
    assert [problem.what for problem in unusual_sizes(corpus)][1:] == [
        "3 utterances in 2 dialogues, where DAILYDIALOG's validation has 8,069 in 1,000",
        "3 utterances in 2 dialogues, where DAILYDIALOG's test has 7,740 in 1,000",
    ]


@pytest.mark.parametrize(
    ("name", "content", "row", "what"),
    [
        (
            "dialogues_test.txt",
            "Hi . __eou__\nNo ! __eou__\n",
            1,
            "1 utterances where dialogues_emotion_test.txt has",
        ),
        ("dialogues_test.txt", "Hi . __eou__ Yes\nNo ! __eou__\n", 1, "no __eou__ behind the last utterance"),
        (
            "dialogues_test.txt",
            "Hi . __eou__ Yes __eou__\n",
            None,
            "1 dialogues where dialogues_emotion_test.txt has",
        ),
        ("dialogues_emotion_test.txt", "0 7 \n1 \n", 1, "unknown emotion '7'; use 0 to 6"),
        ("dialogues_emotion_test.txt", "0 joy \n1 \n", 1, "unknown emotion 'joy'"),
    ],
)
def test_lines_that_do_not_fit_are_named(tmp_path: Path, name: str, content: str, row: int | None, what: str) -> None:
    write_release(tmp_path)
    (tmp_path / "test" / name).write_text(content)
    with pytest.raises(InputError) as caught:
        read_dailydialog(tmp_path)
    assert caught.value.row == row
    assert what in str(caught.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dialogues_train\.txt: no such file; give the folder ijcnlp_dailydialog"):
        read_dailydialog(tmp_path)
    (tmp_path / "train.zip").write_bytes(b"none")
    with pytest.raises(InputError, match=r"train\.zip: it holds no readable train/dialogues_train\.txt"):
        read_dailydialog(tmp_path)
