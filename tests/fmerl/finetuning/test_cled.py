"""CLED: its losses, vectors and statistics by loops over the formulas."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.finetuning.cell import finetune
from fmerl.finetuning.cled import CLED, decoupled_contrast
from fmerl.finetuning.config import CLEDConfig, TuningConfig
from fmerl.finetuning.data import TuningData, tuning_data
from fmerl.finetuning.model import prepare_encoder
from fmerl.finetuning.steps import Tuner
from fmerl.finetuning.system import Output
from fmerl.model.baselines.losses import supervised_contrastive
from fmerl.training.distributed import ALONE


def cosine(one: Tensor, two: Tensor) -> float:
    return float(one @ two / (one.norm() * two.norm()))


def slow_contrast(
    vectors: Tensor, label: list[int], decoupled: int | None, alpha: float, temperature: float, threshold: float
) -> float:
    losses = []
    for i, own in enumerate(label):
        positives = negatives = 0.0
        count = 0
        for j, other in enumerate(label):
            near = math.exp((1 + cosine(vectors[i], vectors[j])) / 2 / temperature)
            if other == own and j != i:
                positives, count = positives + near, count + 1
            elif other != own:
                negatives += near * (1 + alpha * ((own == decoupled) != (other == decoupled)))
        if count:
            losses.append(-math.log(positives / ((positives + negatives) * count)))
    hard = [loss for loss in losses if loss > threshold]
    return sum(hard) / len(hard) if hard else 0.0


def slow_supervised(vectors: Tensor, label: list[int], temperature: float) -> float:
    losses = []
    for i, own in enumerate(label):
        every = sum(math.exp(cosine(vectors[i], vectors[j]) / temperature) for j in range(len(label)) if j != i)
        likely = [
            math.log(math.exp(cosine(vectors[i], vectors[j]) / temperature) / every)
            for j, other in enumerate(label)
            if other == own and j != i
        ]
        if likely:
            losses.append(-sum(likely) / len(likely))
    return sum(losses) / len(losses)


def drawn(count: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Vectors near their class's own direction, so that some losses are easy, with labels."""
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(classes, (count,), generator=draw)
    return torch.randn(classes, 6, generator=draw)[label] + torch.randn(count, 6, generator=draw), label


@pytest.mark.parametrize("decoupled", [None, 0])
@pytest.mark.parametrize(("alpha", "temperature", "threshold"), [(0.5, 0.05, 0.3), (2.0, 0.5, 2.5), (0.0, 1.0, 0.0)])
def test_the_contrast_is_that_of_its_formula(
    decoupled: int | None, alpha: float, temperature: float, threshold: float
) -> None:
    vectors, label = drawn(20, 4)
    found = decoupled_contrast(vectors, label, decoupled, alpha, temperature, threshold)
    expected = slow_contrast(vectors, label.tolist(), decoupled, alpha, temperature, threshold)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    assert float(found) > 0


def test_the_supervised_contrast_is_that_of_its_formula() -> None:
    vectors, label = drawn(20, 4)
    expected = slow_supervised(vectors, label.tolist(), 0.3)
    assert float(supervised_contrastive(vectors, label, 0.3)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("label", [[0], [0, 1, 2], [1, 1, 0]])
def test_vectors_without_a_fellow_have_no_loss_and_finite_gradients(label: list[int]) -> None:
    vectors = torch.randn(len(label), 6, requires_grad=True)
    losses = (
        decoupled_contrast(vectors, torch.tensor(label), 0, 0.5, 0.05, 0.0),
        supervised_contrastive(vectors, torch.tensor(label), 0.05),
    )
    for loss in losses:
        (gradient,) = torch.autograd.grad(loss, vectors)
        assert gradient.isfinite().all()
        assert (len(set(label)) < len(label)) == bool(loss > 0)


def system(config: TuningConfig, corpus: Corpus, **values: Any) -> tuple[CLED, TuningData, Tuner]:
    config = replace(config, system="cled", input="tags", cled=CLEDConfig(**values))
    tokenizer, encoder, maker = prepare_encoder(config)
    data = tuning_data(corpus, config, tokenizer, 64)
    model = CLED.create(encoder, config, data)
    return model, data, Tuner(model, data, config, maker, 0, torch.device("cpu"), ALONE)


def test_transitions_are_counted_over_the_next_turns_of_train(config: TuningConfig, corpus: Corpus) -> None:
    model, data, _ = system(config, corpus)
    counts = np.zeros((3, 3))
    for dialogue in corpus.dialogues:
        turns = [data.classes.index(each.emotion) for each in dialogue.utterances if each.emotion]
        if dialogue.split == "train":
            for one, two in pairwise(turns):
                counts[one, two] += 1
    np.testing.assert_allclose(model.transitions, counts / counts.sum(1, keepdims=True), rtol=1e-6)


def test_a_label_that_training_may_not_see_is_in_no_transition(config: TuningConfig, corpus: Corpus) -> None:
    tokenizer, _, _ = prepare_encoder(config)
    data = tuning_data(corpus, config, tokenizer, 64, unseen=["joy"])
    assert len(data.next_turns())
    assert (data.next_turns() != data.classes.index("joy")).all()


def test_centroids_are_means_in_evaluation_mode(config: TuningConfig, corpus: Corpus, forgetful_bert: str) -> None:
    model, data, tuner = system(replace(config, encoder=forgetful_bert), corpus)
    model.train()
    tuner.begin_epoch()
    model.eval()
    rows = data.train_rows().tolist()
    maker = prepare_encoder(replace(config, encoder=forgetful_bert))[2]
    states: dict[int, list[Tensor]] = {}
    with torch.no_grad():
        for row in rows:
            (batch,) = maker.passes(data.sequences, [row])
            states.setdefault(int(data.learned[row]), []).append(batch.vectors(model.encoder)[0])
    for index, members in states.items():
        torch.testing.assert_close(model.centroids[index], torch.stack(members).mean(0), atol=1e-4, rtol=1e-4)


def test_each_state_makes_a_vector_of_every_class_but_the_decoupled_one(config: TuningConfig, corpus: Corpus) -> None:
    model, _, _ = system(config, corpus)
    model.centroids.normal_()
    states, label = torch.randn(4, 1, 16), torch.tensor([0, 1, 2, 1])
    vectors, labels = model.augmented(states, label)
    assert torch.equal(vectors[:4], states[:, 0])
    expected, expected_labels = [], []
    for state, own in zip(states[:, 0], label.tolist(), strict=True):
        for other in (1, 2):  # 0 is neutral
            share = model.transitions[own, other]
            expected.append(share * state + (1 - share) * model.centroids[other])
            expected_labels.append(other)
    torch.testing.assert_close(vectors[4:], torch.stack(expected))
    assert labels.tolist() == [*label.tolist(), *expected_labels]


def test_the_total_is_cross_entropy_and_contrast(config: TuningConfig, corpus: Corpus) -> None:
    states, logits, label = torch.randn(5, 1, 16), torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    entropy = sum(-math.log(logits[row].softmax(0)[own]) for row, own in enumerate(label.tolist()))
    found = {}
    for loss in ("ce", "supcon", "cled"):
        model, _, _ = system(config, corpus, loss=loss, augmentation="none")
        found[loss] = float(model.loss(Output(logits, states), label))
    assert found["ce"] == pytest.approx(entropy, rel=1e-5)
    extra = slow_contrast(states[:, 0], label.tolist(), 0, 0.5, 0.05, 0.3)
    assert found["cled"] == pytest.approx(entropy + 5 * extra, rel=1e-4)
    extra = slow_supervised(states[:, 0], label.tolist(), 0.05)
    assert found["supcon"] == pytest.approx(entropy + 5 * extra, rel=1e-4)


def test_dropout_makes_two_views_in_training_alone(config: TuningConfig, corpus: Corpus, forgetful_bert: str) -> None:
    model, data, _ = system(replace(config, encoder=forgetful_bert), corpus, augmentation="dropout")
    maker = prepare_encoder(replace(config, encoder=forgetful_bert))[2]
    (batch, *_) = model.passes(maker, data, range(3))
    output = model.train()(batch)
    assert output.states.shape[1] == 2
    assert not torch.equal(output.states[:, 0], output.states[:, 1])
    assert model.eval()(batch).states.shape[1] == 1
    vectors, labels = model.augmented(output.states, torch.tensor([0, 1, 2])[: len(output.states)])
    assert len(vectors) == len(labels) == 2 * len(output.states)


def test_edited_words_make_the_second_view_in_training_alone(
    config: TuningConfig, corpus: Corpus, tmp_path: Path
) -> None:
    synonyms = tmp_path / "synonyms"
    synonyms.write_text("god, day\noh, leave\n")
    model, data, _ = system(config, corpus, augmentation="replace", synonyms=str(synonyms))
    maker, rows, edited = prepare_encoder(config)[2], list(range(8)), model._edited
    assert edited is not None
    assert any(edited[row].ids != data.sequences[row].ids for row in rows)
    with torch.no_grad():
        for batch in model.train().passes(maker, data, rows):
            for row, views in zip(batch.rows.tolist(), model(batch).states, strict=True):
                for inputs, state in zip((data.sequences, edited), views, strict=True):
                    (alone,) = maker.passes(inputs, [row])
                    torch.testing.assert_close(state, alone.vectors(model.encoder)[0], atol=1e-5, rtol=1e-5)
        assert all(model(batch).states.shape[1] == 1 for batch in model.eval().passes(maker, data, rows))


def test_without_its_contrast_it_is_a_linear_classifier(config: TuningConfig, corpus: Corpus) -> None:
    """Neither augmentation nor alpha nor threshold reaches it."""
    base = replace(config, system="cled", input="tags", epochs=1)
    one = finetune(corpus, replace(base, cled=CLEDConfig(loss="ce")), 0)
    two = finetune(corpus, replace(base, cled=CLEDConfig(loss="ce", augmentation="none", alpha=3.0)), 0)
    assert one.predictions == two.predictions


def test_a_class_that_the_corpus_lacks_cannot_be_decoupled(config: TuningConfig, corpus: Corpus) -> None:
    with pytest.raises(InputError, match="boredom is no class") as caught:
        system(config, corpus, decoupled="boredom")
    assert "\n" not in str(caught.value)
    model, _, _ = system(config, corpus, decoupled="none")
    _, labels = model.augmented(torch.randn(1, 1, 16), torch.tensor([0]))
    assert labels.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"augmentation": "replace"}, "needs synonyms"),
        ({"augmentation": "swap", "edit_share": 0.0}, "edit_share"),
        ({"augmentation": "noise"}, "augmentation"),
        ({"temperature": 0.0}, "temperature"),
        ({"alpha": -1.0}, "alpha"),
    ],
)
def test_settings_out_of_their_range_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CLEDConfig(**values)
