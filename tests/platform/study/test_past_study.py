"""Studies of attention to the past: one field is an axis, and what would see later turns all the same is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.text_cells import text_corpus
from helpers.tiny_bert import save_tiny_bert

from fmerl.corpus import write_corpus
from fmerl.errors import InputError
from fmerl.features.store import FeatureTable, write_features
from fmerl_platform.cli.axes import axis_variants
from fmerl_platform.studies.ablation import Ablation
from fmerl_platform.studies.plan import plan_study
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER, SYSTEMS
from fmerl_platform.study.study import Study
from fmerl_platform.study.variant import StudyError

AXIS = (PAPER[0], *axis_variants("attention"))


def study_of(home: Path, choice: str) -> Study:
    """A study of texts whose features say that a tuned encoder made them with this input."""
    corpus, encoder = text_corpus(), home / "encoder"
    save_tiny_bert(encoder, positions=32)
    write_corpus(corpus, home / "corpus")
    ids = tuple(utterance.utterance_id for utterance in corpus.utterances())
    values = np.random.default_rng(0).normal(size=(len(ids), 8)).astype(np.float32)
    tuned = {"encoder": "x", "tuned": "d", "input": {"input": choice, "context_turns": 9}}
    card = {"recipe": tuned, "supervised_on_labels": True}
    table = FeatureTable("text", ids, values, np.zeros(len(ids), dtype=np.bool_), card)
    write_features(home / "features", corpus.name, table)
    return Study(
        "live",
        corpora=[str(home / "corpus")],
        variants=AXIS,
        seeds=range(2),
        inputs=InputOptions(features=home / "features", emotion_encoder=str(encoder)),
    )


def test_the_past_is_a_variant_with_fingerprints_of_its_own(tmp_path: Path) -> None:
    plan = plan_study(study_of(tmp_path, "past"), Ablation(), tmp_path / "runs")
    assert [(cell.variant, cell.config.backbone.attention) for cell in plan.cells] == [
        *[("FMERL", "full")] * 2,
        *[("attention = past", "past")] * 2,
    ]
    assert len({cell.fingerprint for cell in plan.cells}) == 4


def test_features_that_hold_later_turns_are_refused(tmp_path: Path) -> None:
    study = study_of(tmp_path, "both")
    with pytest.raises(InputError, match="text features: by their card the encoder reads later turns"):
        plan_study(study, Ablation(), tmp_path / "runs")
    full = replace(study, variants=(PAPER[0],))
    assert len(plan_study(full, Ablation(), tmp_path / "runs").cells) == 2


def test_systems_that_read_from_the_end_cannot_join_a_study_of_the_past(tmp_path: Path) -> None:
    study = study_of(tmp_path, "past")
    live = replace(study.inputs, set=("attention=past",))
    chosen = {variant.name: variant for variant in SYSTEMS}
    of_past = replace(
        study, variants=tuple(chosen[name] for name in ("FMERL", "SDT", "EACL", "SSLCL", "MLP")), inputs=live
    )
    assert {cell.config.backbone.attention for cell in plan_study(of_past, Ablation(), tmp_path / "runs").cells} == {
        "past"
    }
    with pytest.raises(StudyError, match=r"variant 'BiGRU': backbone\.attention cannot be past: BiGRU reads"):
        plan_study(replace(of_past, variants=(SYSTEMS[0], chosen["BiGRU"])), Ablation(), tmp_path / "runs")
