"""The generator keeps its story: shapes, marginals, inertia, separate streams, effects planted in features."""

from __future__ import annotations

import doctest
import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.preprocessing import StandardScaler

from fmerl.config import RELATIONS
from fmerl.corpus import SPLITS, read_corpus, write_corpus
from fmerl.synthetic import IEMOCAP_SHAPE, MELD_SHAPE, ModalitySpec, SyntheticCorpus, SyntheticSpec, generate
from fmerl.synthetic import spec as synthetic_spec

WIDTHS = {"text": 24, "audio": 16, "visual": 12}


def narrow(spec: SyntheticSpec, **changes: Any) -> SyntheticSpec:
    """The spec with narrow features, quick to fit."""
    parts = {name: replace(part, width=WIDTHS[name]) for name, part in spec.modalities.items()}
    return replace(spec, **{**parts, **changes})


def labels(synthetic: SyntheticCorpus) -> NDArray[np.int64]:
    """Class indices [U]."""
    classes = synthetic.corpus.classes
    return np.array([classes.index(u.emotion or "") for u in synthetic.corpus.utterances()])


def own_last(synthetic: SyntheticCorpus) -> NDArray[np.int64]:
    """Row of the speaker's last turn in the dialogue [U], -1 where there is none."""
    rows: dict[tuple[str, str], int] = {}
    last = []
    for row, utterance in enumerate(synthetic.corpus.utterances()):
        key = utterance.dialogue_id, utterance.speaker
        last.append(rows.get(key, -1))
        rows[key] = row
    return np.array(last)


def fit_and_predict(synthetic: SyntheticCorpus, inputs: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Test's classes, gold and predicted by a logistic regression on the inputs [U, D] of single utterances."""
    gold = labels(synthetic)
    split = np.array([u.split for u in synthetic.corpus.utterances()])
    inputs = StandardScaler().fit(inputs[split == "train"]).transform(inputs)
    model = LogisticRegression(C=0.003, max_iter=1000, tol=1e-3).fit(inputs[split == "train"], gold[split == "train"])
    return gold[split == "test"], model.predict(inputs[split == "test"])


def joined(synthetic: SyntheticCorpus) -> NDArray[np.float32]:
    return np.hstack([features for features, _ in synthetic.features.values()])


def fingerprint(synthetic: SyntheticCorpus) -> str:
    digest = hashlib.sha256(synthetic.corpus.digest().encode() + synthetic.latent.tobytes())
    for features, missing in synthetic.features.values():
        digest.update(features.tobytes() + missing.tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module", params=[IEMOCAP_SHAPE, MELD_SHAPE], ids=lambda spec: spec.name)
def shape(request: pytest.FixtureRequest) -> SyntheticSpec:
    return request.param


@pytest.fixture(scope="module")
def whole(shape: SyntheticSpec) -> SyntheticCorpus:
    return generate(shape)


def test_whole_corpus_has_the_shape_of_its_model(shape: SyntheticSpec, whole: SyntheticCorpus) -> None:
    published = {
        "synthetic-iemocap": (7_433, {"train": 108, "validation": 12, "test": 31}, 110, 2, (1024, 1582, 342)),
        "synthetic-meld": (13_708, {"train": 1038, "validation": 114, "test": 280}, 33, 9, (1024, 300, 342)),
    }
    count, splits, longest, speakers, widths = published[shape.name]
    dialogues = whole.corpus.dialogues
    assert len(list(whole.corpus.utterances())) == count
    assert Counter(dialogue.split for dialogue in dialogues) == splits
    assert max(len(dialogue.utterances) for dialogue in dialogues) == longest
    assert max(1 + max(dialogue.speaker_indices()) for dialogue in dialogues) <= speakers
    assert whole.latent.shape == (count, 3)
    assert whole.latent.dtype == np.float32
    for (name, (features, missing)), width in zip(whole.features.items(), widths, strict=True):
        assert features.shape == (count, width)
        assert features.dtype == np.float32
        assert missing.shape == (count,)
        assert missing.dtype == np.bool_
        assert not features[missing].any()
        assert features[~missing].any(axis=1).all()
        assert missing.mean() == pytest.approx(shape.modalities[name].missing_rate, abs=0.01)


def test_knowledge_follows_the_classes(whole: SyntheticCorpus) -> None:
    values, missing = whole.knowledge
    assert values.shape == (len(whole.latent), 32 * len(RELATIONS))
    assert missing.mean() == pytest.approx(0.02, abs=0.01)
    assert not values[missing].any()
    assert balanced_accuracy_score(*fit_and_predict(whole, values)) > 1 / len(whole.corpus.classes) + 0.03


def test_prior_is_the_marginal(shape: SyntheticSpec, whole: SyntheticCorpus) -> None:
    prior = np.array(shape.class_counts) / sum(shape.class_counts)
    marginal = np.bincount(labels(whole), minlength=len(prior)) / len(labels(whole))
    np.testing.assert_allclose(marginal, prior, atol=0.03)  # three standard errors: copied classes come in runs


def test_default_difficulty_leaves_room_below_one_and_for_context() -> None:
    synthetic = generate(replace(MELD_SHAPE, scale=0.3))
    gold, alone = fit_and_predict(synthetic, joined(synthetic))
    majority = f1_score(gold, np.full_like(gold, np.bincount(gold).argmax()), average="weighted")
    assert majority + 0.2 < 0.55 < f1_score(gold, alone, average="weighted") < 0.72

    last = own_last(synthetic)
    known = np.where(last[:, None] >= 0, np.eye(7)[labels(synthetic)[last]], 0)
    _, in_context = fit_and_predict(synthetic, np.hstack([joined(synthetic), 10 * known]))
    assert f1_score(gold, in_context, average="weighted") > f1_score(gold, alone, average="weighted") + 0.02


@pytest.mark.parametrize("inertia", [0.0, 0.6])
def test_speakers_stay_in_their_class_with_inertia(inertia: float) -> None:
    synthetic = generate(narrow(MELD_SHAPE, inertia=inertia, contagion=0.0))
    emotion, last = labels(synthetic), own_last(synthetic)
    prior = np.array(MELD_SHAPE.class_counts) / sum(MELD_SHAPE.class_counts)
    stayed = (emotion == emotion[last])[last >= 0].mean()
    assert stayed == pytest.approx(inertia + (1 - inertia) * (prior**2).sum(), abs=0.03)


@pytest.mark.parametrize("contagion", [0.0, 0.5])
def test_speakers_take_over_the_previous_class_with_contagion(contagion: float) -> None:
    synthetic = generate(narrow(MELD_SHAPE, inertia=0.0, contagion=contagion))
    pairs = [pair for dialogue in synthetic.corpus.dialogues for pair in pairwise(dialogue.utterances)]
    prior = np.array(MELD_SHAPE.class_counts) / sum(MELD_SHAPE.class_counts)
    taken = np.mean([first.emotion == second.emotion for first, second in pairs])
    assert taken == pytest.approx(contagion + (1 - contagion) * (prior**2).sum(), abs=0.03)


def test_latent_is_prototype_plus_a_mood_that_persists() -> None:
    spec = narrow(IEMOCAP_SHAPE, mood_persistence=0.7, mood_spread=0.2)
    synthetic = generate(spec)
    mood = synthetic.latent - np.array(spec.prototypes)[labels(synthetic)]
    last = own_last(synthetic)
    assert mood.mean() == pytest.approx(0, abs=0.02)
    assert mood.std() == pytest.approx(0.2, rel=0.05)
    assert np.corrcoef(mood[last >= 0].ravel(), mood[last[last >= 0]].ravel())[0, 1] == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_annotations_are_latent_in_the_corpus_range(noise: float) -> None:
    synthetic = generate(narrow(IEMOCAP_SHAPE, annotator_noise=noise, scale=0.2))
    annotated = np.array([[u.valence, u.arousal, u.dominance] for u in synthetic.corpus.utterances()])
    true = 1 + (synthetic.latent + 1) / 2 * 4
    inside = (annotated > 1) & (annotated < 5)
    assert inside.mean() > 0.9
    assert ((annotated >= 1) & (annotated <= 5)).all()
    # The range is twice as wide as [-1, 1], and so is the noise; scores have three decimals.
    assert (annotated - true)[inside].std() == pytest.approx(2 * noise, rel=0.1, abs=1e-3)


def test_same_spec_gives_the_same_bits_in_another_process_with_other_threads() -> None:
    code = (
        "import test_synthetic as t\n"
        "print(t.fingerprint(t.generate(t.replace(t.IEMOCAP_SHAPE, scale=0.1, seed=5))), end='')"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == fingerprint(generate(replace(IEMOCAP_SHAPE, scale=0.1, seed=5)))


def test_every_concern_has_its_own_stream() -> None:
    spec = narrow(MELD_SHAPE, scale=0.1)
    base = generate(spec)

    noisy = generate(replace(spec, audio=replace(spec.audio, expression_noise=2.0, missing_rate=0.5)))
    assert noisy.corpus == base.corpus
    assert not np.array_equal(noisy.features["audio"][0], base.features["audio"][0])
    for name in ("text", "visual"):
        np.testing.assert_array_equal(noisy.features[name][0], base.features[name][0])

    disputed = generate(replace(spec, annotator_noise=0.5))
    np.testing.assert_array_equal(disputed.latent, base.latent)
    np.testing.assert_array_equal(joined(disputed), joined(base))
    assert disputed.corpus != base.corpus

    moody = generate(replace(spec, mood_spread=0.5))
    np.testing.assert_array_equal(labels(moody), labels(base))

    fickle = generate(replace(spec, inertia=0.0))
    assert [(u.utterance_id, u.speaker, u.text) for u in fickle.corpus.utterances()] == [
        (u.utterance_id, u.speaker, u.text) for u in base.corpus.utterances()
    ]
    assert fingerprint(generate(replace(spec, seed=1))) != fingerprint(base)


def test_modality_without_loading_and_class_signal_carries_nothing() -> None:
    mute = replace(MELD_SHAPE.audio, loading=(0.0, 0.0, 0.0), class_signal=0.0)
    spec = narrow(replace(MELD_SHAPE, audio=mute), scale=0.3, class_counts=(1,) * 7, inertia=0.0, contagion=0.0)
    synthetic = generate(spec)
    gold, predicted = fit_and_predict(synthetic, synthetic.features["audio"][0])
    assert balanced_accuracy_score(gold, predicted) == pytest.approx(1 / 7, abs=0.05)
    gold, predicted = fit_and_predict(synthetic, synthetic.features["text"][0])
    assert balanced_accuracy_score(gold, predicted) > 0.3


@pytest.mark.parametrize(("loading", "separable"), [((1.0, 1.0, 0.0), False), ((0.0, 0.0, 1.0), True)])
def test_only_the_dimension_in_which_classes_differ_separates_them(
    loading: tuple[float, float, float], separable: bool
) -> None:
    modality = ModalitySpec(width=16, loading=loading, class_signal=0.0, expression_noise=0.3)
    spec = replace(
        MELD_SHAPE,
        classes=("anger", "fear"),
        class_counts=(1, 1),
        prototypes=((-0.6, 0.6, 0.6), (-0.6, 0.6, -0.6)),
        unseen_class=None,
        scale=0.2,
        text=modality,
        audio=modality,
        visual=modality,
    )
    synthetic = generate(spec)
    gold, predicted = fit_and_predict(synthetic, joined(synthetic))
    accuracy = balanced_accuracy_score(gold, predicted)
    assert accuracy > 0.9 if separable else accuracy == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("seed", range(4))
def test_smallest_corpus_has_dialogues_in_all_splits_and_every_class_in_train(shape: SyntheticSpec, seed: int) -> None:
    corpus = generate(narrow(shape, scale=1e-6, seed=seed)).corpus
    assert [sum(dialogue.split == split for dialogue in corpus.dialogues) for split in SPLITS] == [4, 2, 2]
    assert {u.emotion for u in corpus.utterances() if u.split == "train"} == set(shape.classes)
    assert shape.unseen_class in {u.emotion for u in corpus.utterances() if u.split == "test"}


def test_mean_length_holds_at_every_scale(shape: SyntheticSpec) -> None:
    for scale in (0.05, 0.5):
        dialogues = generate(narrow(shape, scale=scale)).corpus.dialogues
        mean = np.mean([len(dialogue.utterances) for dialogue in dialogues])
        assert mean == pytest.approx(shape.utterances / sum(shape.dialogues), abs=0.05)


def test_class_too_rare_for_the_scale_is_refused() -> None:
    spec = narrow(MELD_SHAPE, class_counts=(10**9, 1, 1, 1, 1, 1, 1), scale=0.001)
    with pytest.raises(ValueError, match="too rare"):
        generate(spec)


def test_written_corpus_reads_back(tmp_path: Path) -> None:
    corpus = generate(narrow(MELD_SHAPE, scale=0.02)).corpus
    write_corpus(corpus, tmp_path)
    assert read_corpus(tmp_path) == corpus
    assert read_corpus(tmp_path).digest() == corpus.digest()


def test_digest_follows_every_field() -> None:
    assert replace(MELD_SHAPE, seed=0).digest() == MELD_SHAPE.digest()
    changes: list[dict[str, Any]] = [{"seed": 1}, {"scale": 0.5}, {"text": replace(MELD_SHAPE.text, voice=0.1)}]
    assert len({MELD_SHAPE.digest(), *(replace(MELD_SHAPE, **change).digest() for change in changes)}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ("joy", "joy", "fear", "sad", "calm", "awe", "ire")}, "classes must be"),
        ({"class_counts": (1, 2)}, "classes must be"),
        ({"class_counts": (1, 1, 1, 1, 1, 1, 0)}, "class_counts must be positive"),
        ({"prototypes": ((0.0, 0.0, 1.5),) * 7}, "prototypes must be"),
        ({"unseen_class": "awe"}, "unseen_class must be one of neutral"),
        ({"vad_range": (5.0, 0.0)}, "vad_range must rise"),
        ({"dialogues": (4, 1, 2)}, "dialogues must be at least"),
        ({"utterances": 10**6}, "mean dialogue length"),
        ({"mean_speakers": 9.5}, "speakers must rise"),
        ({"inertia": 0.9, "contagion": 0.1}, "sum to less than 1"),
        ({"inertia": -0.1}, "must not be negative"),
        ({"mood_persistence": 1.0}, "mood_persistence must be"),
        ({"annotator_noise": -1.0}, "must not be negative"),
        ({"scale": 0.0}, "scale must be positive"),
        ({"seed": -1}, "seed not negative"),
    ],
)
def test_bad_spec_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MELD_SHAPE, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width must be"),
        ({"loading": (1.0, 1.0)}, "loading must have 3"),
        ({"voice": -0.1}, "must not be negative"),
        ({"missing_rate": 1.0}, "missing_rate must be"),
    ],
)
def test_bad_modality_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MELD_SHAPE.text, **change)


def test_example_in_the_docstring_holds() -> None:
    result = doctest.testmod(synthetic_spec)
    assert result.attempted > 0
    assert result.failed == 0
