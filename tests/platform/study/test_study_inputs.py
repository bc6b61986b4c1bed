"""Inputs of a study: what is quickly found to be absent is found before features are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from fmerl.corpus import read_corpus
from fmerl.errors import InputError
from fmerl.synthetic import SHAPES
from fmerl.synthetic.folder import materialise
from fmerl_platform.studies.search.plan import Search, plan_search
from fmerl_platform.study import inputs
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study


def _read(*arguments: object) -> NoReturn:
    raise AssertionError("features were read")


def test_an_absent_encoder_and_an_unsound_corpus_are_found_before_features_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, features = materialise(replace(SHAPES["synthetic-meld"], scale=0.02), tmp_path)
    (other := tmp_path / "other").mkdir()
    monkeypatch.setattr(inputs, "read_joined", _read)

    def study(*corpora: Path, encoder: str | None = None) -> Study:
        given = InputOptions(features=features, emotion_encoder=encoder)
        return Study("early", corpora=tuple(map(str, corpora)), variants=PAPER[:1], inputs=given)

    with pytest.raises(InputError, match=r"^package:none: .* cannot be imported"):
        load_inputs(study(corpus, encoder="package:none"), tmp_path)
    with pytest.raises(InputError, match=r"other/corpus\.json"):
        load_inputs(study(corpus, other), tmp_path)


def test_a_search_reads_its_corpus_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(folder: Path) -> object:
        read.append(folder)
        return read_corpus(folder)

    monkeypatch.setattr(inputs, "read_corpus", counted)
    asked = Search(corpus="synthetic-meld", objectives=("unseen-accuracy",), inputs=InputOptions(scale=0.05))
    plan = plan_search(asked, tmp_path)
    assert [each.held_out[0] for each in plan.objectives] == ["fear"]
    assert len(read) == 1
