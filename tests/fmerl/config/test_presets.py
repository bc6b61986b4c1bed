"""Presets against what the paper and SDT's code state."""

from __future__ import annotations

import pytest

from fmerl.config.presets import OFFLINE_ENCODER, PRESETS

CORPORA = ("meld", "iemocap", "synthetic-meld", "synthetic-iemocap", "my-own")


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_fits_every_corpus(name: str, corpus: str) -> None:
    config = PRESETS[name](corpus)
    assert config == PRESETS[name](corpus)
    assert config.training.selection == "validation", "a headline is never picked on the test set"
    assert config.training.unseen_classes == ()
    assert (config.contrastive.negative_weight, config.contrastive.triple_weight) == (0.5, 1.0)
    assert config.regression.dimensions == ("valence", "arousal", "dominance")


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_synthetic_corpus_is_trained_as_the_one_it_imitates(name: str) -> None:
    for corpus in ("meld", "iemocap"):
        assert PRESETS[name](f"synthetic-{corpus}") == PRESETS[name](corpus)


@pytest.mark.parametrize(
    ("corpus", "learning_rate", "batch_size", "epochs", "gate"),
    [("iemocap", 1e-4, 16, 150, "learned"), ("meld", 1e-5, 256, 50, "identity")],
)
def test_paper(corpus: str, learning_rate: float, batch_size: int, epochs: int, gate: str) -> None:
    config = PRESETS["paper"](corpus)
    assert (config.backbone.hidden, config.backbone.heads, config.backbone.dropout) == (1024, 8, 0.5)
    assert config.backbone.unimodal_gate == gate
    assert (config.contrastive.temperature, config.contrastive.center_anchors) == (1.0, False)
    assert config.anchors.encoder == "FacebookAI/roberta-large"
    training = config.training
    assert (training.learning_rate, training.batch_size, training.epochs) == (learning_rate, batch_size, epochs)
    assert (training.weight_decay, training.batch_unit) == (1e-5, "dialogues")


@pytest.mark.parametrize("corpus", CORPORA)
def test_robust_is_the_paper_with_a_loss_that_can_fall(corpus: str) -> None:
    paper, robust = PRESETS["paper"](corpus).flatten(), PRESETS["robust"](corpus).flatten()
    assert (robust["contrastive.temperature"], robust["contrastive.center_anchors"]) == (0.07, True)
    changed = {name for name in paper if paper[name] != robust[name]}
    assert changed <= {
        "contrastive.temperature",
        "contrastive.center_anchors",
        "backbone.unimodal_gate",
        "backbone.standardize",
        "training.learning_rate",
        "training.batch_size",
        "training.epochs",
    }


@pytest.mark.parametrize("corpus", CORPORA)
def test_laptop_is_small_and_needs_no_download(corpus: str) -> None:
    config = PRESETS["laptop"](corpus)
    assert config.backbone.hidden <= 128
    assert config.training.epochs <= 15
    assert config.anchors.encoder == OFFLINE_ENCODER
