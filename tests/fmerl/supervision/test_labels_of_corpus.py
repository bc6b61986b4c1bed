"""A label set is taken for the corpus it was made from, on a scale that the corpus has, in all three dimensions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fmerl.corpus import Corpus, Dialogue, Utterance
from fmerl.errors import InputError
from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, read_descriptions
from fmerl.supervision.labels import LabelSet, read_labels_of, write_labels

NAN = float("nan")


def corpus(ids: str = "abc", vad_range: tuple[float, float] = (0, 5)) -> Corpus:
    utterances = tuple(
        Utterance(utterance_id=name, dialogue_id="d", turn=turn, speaker="s", text="x", emotion="joy", split="train")
        for turn, name in enumerate(ids)
    )
    dialogues = (Dialogue(dialogue_id="d", utterances=utterances),)
    return Corpus(name="talk", classes=("joy", "anger"), vad_range=vad_range, dialogues=dialogues)


def write(root: Path, vad: list[list[float]], vad_range: tuple[float, float] = (0, 5), **card: object) -> None:
    labels = LabelSet(
        utterance_ids=("a", "b"),
        vad=np.array(vad, dtype=np.float32),
        errors=(None, "refusal"),
        vad_range=vad_range,
        descriptions=read_descriptions(DEFAULT_DESCRIPTIONS),
        card={"recipe": {"model": "judge"}, **card},
    )
    write_labels(root, "talk", labels)


def test_set_of_a_part_of_the_corpus(tmp_path: Path) -> None:
    write(tmp_path, [[1, 2, 3], [NAN] * 3])
    labels = read_labels_of(tmp_path, corpus("cba"))
    assert labels.utterance_ids == ("c", "b", "a")
    assert labels.errors == ("no row in vad.parquet", "refusal", None)


def test_set_of_another_corpus_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [[1, 2, 3], [NAN] * 3])
    with pytest.raises(InputError, match=r"vad\.parquet, row 3: utterance_id 'b' is none of corpus talk"):
        read_labels_of(tmp_path, corpus("ac"))


@pytest.mark.parametrize(("vad_range", "fits"), [((0, 5), True), ((1, 5), True), ((0, 5.5), False), ((-1, 5), False)])
def test_scores_must_stay_in_the_corpus_range(tmp_path: Path, vad_range: tuple[float, float], fits: bool) -> None:
    write(tmp_path, [[1, 2, 3], [NAN] * 3], vad_range)
    if fits:
        assert read_labels_of(tmp_path, corpus()).vad_range == vad_range
        return
    with pytest.raises(InputError, match="where the corpus has 0 to 5"):
        read_labels_of(tmp_path, corpus())


def test_set_of_some_dimensions_can_be_written_and_is_refused_for_training(tmp_path: Path) -> None:
    write(tmp_path, [[1, NAN, 3], [NAN] * 3], dimensions=["valence", "dominance"])
    with pytest.raises(InputError, match=r"card\.json: the label set has no scores of arousal"):
        read_labels_of(tmp_path, corpus())


@pytest.mark.parametrize("row", [[1, 2, 3], [1, NAN, NAN], [1, NAN, 9]])
def test_set_of_some_dimensions_has_scores_of_just_those(tmp_path: Path, row: list[float]) -> None:
    with pytest.raises(InputError, match="label of a: scores"):
        write(tmp_path, [row, [NAN] * 3], dimensions=["valence", "dominance"])
