"""Test rows whose text is in train reach the study's record, from which reports are made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from fmerl.corpus import Corpus, Utterance, read_corpus, write_corpus
from fmerl.synthetic import MELD_SHAPE
from fmerl.synthetic.folder import materialise
from fmerl_platform.study.cells import plan_cells
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.record import StudyRecord, record_study
from fmerl_platform.study.study import Study


def with_texts(corpus: Corpus) -> Corpus:
    """The corpus in which every fourth test turn says what all train turns say."""

    def said(item: Utterance) -> Utterance:
        common = item.split == "train" or (item.split == "test" and item.turn % 4 == 0)
        return replace(item, text="Hello!" if common else item.utterance_id)

    return replace(
        corpus,
        dialogues=tuple(replace(each, utterances=tuple(map(said, each.utterances))) for each in corpus.dialogues),
    )


def test_repeats_are_recorded(tmp_path: Path) -> None:
    folder, features = materialise(replace(MELD_SHAPE, scale=0.02), tmp_path)
    corpus = with_texts(read_corpus(folder))
    write_corpus(corpus, tmp_path / "corpus")
    options = InputOptions(features=features)
    study = Study("s", corpora=[str(tmp_path / "corpus")], variants=PAPER[:1], seeds=[0], inputs=options)
    inputs = load_inputs(study, tmp_path)
    cells = plan_cells(inputs, study.variants, study.seeds)
    record = record_study(study, inputs, cells, kind="ablation", kind_options={}, command="x", provenance={})
    expected = tuple(item.utterance_id for item in corpus.utterances() if item.split == "test" and item.turn % 4 == 0)
    assert StudyRecord.parse(record.json()).corpora[0].repeats == expected
    before = json.loads(record.json())
    del before["corpora"][0]["repeats"]
    assert StudyRecord.parse(json.dumps(before)).corpora[0].repeats == (), "a record of an earlier version"
