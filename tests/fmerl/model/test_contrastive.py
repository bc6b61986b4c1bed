"""The alignment with descriptions against Eq. 5 to 11 written out pair by pair."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal, get_args

import pytest
import reference
import torch
from helpers.gradients import gradient
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from fmerl.config import ContrastiveConfig
from fmerl.model.contrastive import DescriptionAlignment

Candidates = Literal["unique", "in_batch", "multi_positive"]
Negatives = Literal["classes", "classes_per_utterance", "in_batch"]
Reduction = Literal["mean", "sum"]
ClassWeights = Literal["none", "inverse_frequency"]
CANDIDATES: tuple[Candidates, ...] = get_args(Candidates)
NEGATIVES: tuple[Negatives, ...] = get_args(Negatives)
COUNTS = (5, 1, 3, 7)
"""Training utterances of the four classes."""
INVERSE_FREQUENCY = [16 / count for count in COUNTS]


def draw(rows: int, classes: int = 4, width: int = 5, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Representations [N, D], anchors [C, D] that lie as close together as real ones, labels [N]."""
    generator = torch.Generator().manual_seed(seed)
    anchors = torch.randn(classes, width, generator=generator) + 1.5
    return (
        torch.randn(rows, width, generator=generator),
        anchors,
        torch.randint(classes, (rows,), generator=generator),
    )


def losses(alignment: DescriptionAlignment, f: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    return alignment.loss(alignment(f), label, torch.ones(len(label), dtype=torch.bool))


def assert_same(ours: Tensor, theirs: Tensor, inputs: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Equal losses, and equal gradients for each (ours, theirs) pair of inputs."""
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5, abs=1e-6)
    gradients = torch.autograd.grad(ours, [a for a, _ in inputs], retain_graph=True, allow_unused=True)
    expected = torch.autograd.grad(theirs, [b for _, b in inputs], retain_graph=True, allow_unused=True)
    for a, b in zip(gradients, expected, strict=True):
        largest = 1.0 if b is None else max(b.abs().max().item(), 1e-3)
        difference = (torch.zeros(()) if a is None else a).double() - (0 if b is None else b)
        assert difference.abs().max() <= 2e-5 * largest


@pytest.mark.parametrize(
    ("candidates", "reduction", "class_weights", "temperature"),
    list(itertools.product(CANDIDATES, ("mean", "sum"), ("none", "inverse_frequency"), (1.0, 0.07))),
)
def test_l1_equals_eq_5(
    candidates: Candidates, reduction: Reduction, class_weights: ClassWeights, temperature: float
) -> None:
    config = ContrastiveConfig(
        candidates=candidates, reduction=reduction, class_weights=class_weights, temperature=temperature
    )
    f, anchors, label = draw(9)
    alignment = DescriptionAlignment(config, 5, anchors, COUNTS)
    ours, theirs = f.clone().requires_grad_(), f.double().requires_grad_()
    expected = reference.contrastive_loss(
        theirs,
        anchors.double(),
        label.tolist(),
        candidates=candidates,
        temperature=temperature,
        reduction=reduction,
        weights=INVERSE_FREQUENCY if class_weights == "inverse_frequency" else [1.0] * 4,
    )
    assert_same(losses(alignment, ours, label)[0], expected, [(ours, theirs)])


@given(
    rows=st.integers(1, 12),
    classes=st.integers(2, 5),
    seed=st.integers(0, 10_000),
    temperature=st.floats(0.05, 2.0),
    candidates=st.sampled_from(["in_batch", "multi_positive"]),
)
def test_literal_eq_5_is_balanced_softmax(
    rows: int, classes: int, seed: int, temperature: float, candidates: Candidates
) -> None:
    """sum_j exp S_ij over the N utterances' anchors = sum_c n_c exp S_ic: O(N C) for what Eq. 5 writes as N x N."""
    f, anchors, label = draw(rows, classes, seed=seed)
    config = ContrastiveConfig(candidates=candidates, temperature=temperature, reduction="sum")
    alignment = DescriptionAlignment(config, 5, anchors, [1] * classes)
    ours, theirs = f.clone().requires_grad_(), f.double().requires_grad_()
    expected = reference.contrastive_loss(
        theirs,
        anchors.double(),
        label.tolist(),
        candidates=candidates,
        temperature=temperature,
        reduction="sum",
        weights=[1.0] * classes,
    )
    assert_same(losses(alignment, ours, label)[0], expected, [(ours, theirs)])


def test_literal_and_multi_positive_differ_by_a_constant_of_the_batch() -> None:
    f, anchors, label = draw(9)
    literal, multi = (
        losses(DescriptionAlignment(ContrastiveConfig(candidates=name), 5, anchors, COUNTS), f, label)[0]
        for name in ("in_batch", "multi_positive")
    )
    same_class = torch.bincount(label)[label].float()
    assert (literal - multi).item() == pytest.approx(same_class.log().mean().item(), rel=1e-5)


@given(st.integers(2, 9), st.floats(0.0, 0.9999), st.integers(0, 1_000))
def test_close_anchors_bound_l1_from_below(classes: int, cosine: float, seed: int) -> None:
    """The bound of docs/method.md: reached by the best representation, and by no other."""
    anchors = torch.linalg.cholesky(torch.full((classes,) * 2, cosine).double().fill_diagonal_(1.0)).float()
    alignment = DescriptionAlignment(ContrastiveConfig(), classes, anchors, [1] * classes)
    difference = math.sqrt((1 - cosine) * classes / (classes - 1))
    bound = math.log(1 + (classes - 1) * math.exp(-difference))
    label = torch.arange(classes)
    best = alignment.anchors - alignment.anchors.mean(0)
    assert losses(alignment, best, label)[0].item() == pytest.approx(bound, abs=1e-4)
    other = best + best.std() * torch.randn(classes, classes, generator=torch.Generator().manual_seed(seed))
    assert losses(alignment, other, label)[0].item() >= bound - 1e-5


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_l2_equals_eq_7(negatives: Negatives) -> None:
    f, anchors, label = draw(9)
    alignment = DescriptionAlignment(ContrastiveConfig(negatives=negatives), 5, anchors, COUNTS)
    ours, theirs = f.clone().requires_grad_(), f.double().requires_grad_()
    expected = reference.negative_loss(theirs, anchors.double(), label.tolist(), negatives=negatives)
    assert_same(losses(alignment, ours, label)[1], expected, [(ours, theirs)])


@given(rows=st.integers(1, 10), classes=st.integers(2, 5), seed=st.integers(0, 10_000), mode=st.sampled_from(NEGATIVES))
def test_no_anchor_of_its_own_class_is_a_negative(rows: int, classes: int, seed: int, mode: Negatives) -> None:
    f, anchors, label = draw(rows, classes, seed=seed)
    alignment = DescriptionAlignment(ContrastiveConfig(negatives=mode), 5, anchors, [1] * classes)
    cosine = alignment(f).detach().requires_grad_()
    negative = alignment.loss(cosine, label, torch.ones(rows, dtype=torch.bool)).negative
    assert negative.item() >= 0, "1 + cos is never negative"
    (gradient,) = torch.autograd.grad(negative, cosine)
    assert not gradient.gather(1, label.unsqueeze(1)).any()
    expected = reference.negative_loss(f.double(), anchors.double(), label.tolist(), negatives=mode)
    assert negative.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)


def test_a_batch_of_one_class_has_no_in_batch_negative() -> None:
    f, anchors, _ = draw(4)
    alignment = DescriptionAlignment(ContrastiveConfig(negatives="in_batch"), 5, anchors, COUNTS)
    assert losses(alignment, f, torch.full((4,), 2))[1].item() == 0


@pytest.mark.parametrize("learn", [False, True])
def test_temperature(learn: bool) -> None:
    f, anchors, label = draw(9)
    config = ContrastiveConfig(temperature=0.3, learn_temperature=learn)
    alignment = DescriptionAlignment(config, 5, anchors, COUNTS)
    assert [name for name, _ in alignment.named_parameters()] == (["log_temperature"] if learn else [])
    log_temperature = torch.tensor(0.3, dtype=torch.float64).log().requires_grad_()
    ours, theirs = f.clone().requires_grad_(), f.double().requires_grad_()
    expected = reference.contrastive_loss(
        theirs,
        anchors.double(),
        label.tolist(),
        candidates="unique",
        temperature=log_temperature.exp(),
        reduction="mean",
        weights=[1.0] * 4,
    )
    inputs = [(ours, theirs), (alignment.log_temperature, log_temperature)] if learn else [(ours, theirs)]
    assert_same(losses(alignment, ours, label)[0], expected, inputs)


def test_anchors_are_centred_on_the_seen_classes() -> None:
    f, anchors, label = draw(9)
    label = label.clamp(max=2)
    seen = [True, True, True, False]
    alignment = DescriptionAlignment(ContrastiveConfig(center_anchors=True), 5, anchors, (5, 1, 3, 0))
    by_hand = reference.centred(anchors.double(), seen)
    expected = torch.stack([torch.stack([reference.cosine(x, e) for e in by_hand]) for x in f.double()])
    torch.testing.assert_close(alignment(f).double(), expected, rtol=1e-5, atol=1e-6)
    elsewhere = anchors.clone()
    elsewhere[3] += 100.0
    moved = DescriptionAlignment(ContrastiveConfig(center_anchors=True), 5, elsewhere, (5, 1, 3, 0))
    assert torch.equal(moved.anchors[:3], alignment.anchors[:3]), "an unseen class moves no other anchor"


@pytest.mark.parametrize("classes", [2, 5])
def test_prediction_is_the_nearest_anchor(classes: int) -> None:
    f, anchors, _ = draw(20, classes)
    alignment = DescriptionAlignment(ContrastiveConfig(), 5, anchors, [1] * classes)
    cosine = alignment(f)
    assert ((cosine >= -1 - 1e-6) & (cosine <= 1 + 1e-6)).all()
    by_hand = [max(range(classes), key=lambda c: reference.cosine(x, anchors[c].double()).item()) for x in f.double()]
    assert cosine.argmax(1).tolist() == by_hand


def test_anchors_are_frozen_and_reached_through_a_linear_when_wider() -> None:
    f, _, _ = draw(3)
    anchors = torch.randn(4, 8, generator=torch.Generator().manual_seed(3))
    alignment = DescriptionAlignment(ContrastiveConfig(), 5, anchors, COUNTS)
    linear = alignment.to_anchor_space
    assert isinstance(linear, nn.Linear)
    by_hand = f.double() @ linear.weight.detach().double().T + linear.bias.detach().double()
    expected = torch.stack([torch.stack([reference.cosine(x, e.double()) for e in anchors]) for x in by_hand])
    torch.testing.assert_close(alignment(f).detach().double(), expected, rtol=1e-5, atol=1e-6)
    assert {name for name, _ in alignment.named_parameters()} == {"to_anchor_space.weight", "to_anchor_space.bias"}


@pytest.mark.parametrize(("candidates", "negatives"), list(itertools.product(CANDIDATES, NEGATIVES)))
def test_utterances_without_a_target_do_not_count(candidates: Candidates, negatives: Negatives) -> None:
    f, anchors, label = draw(9)
    valid = torch.tensor([True, False, True] * 3)
    alignment = DescriptionAlignment(ContrastiveConfig(candidates=candidates, negatives=negatives), 5, anchors, COUNTS)
    kept = losses(alignment, f[valid], label[valid])
    masked = alignment.loss(alignment(f), torch.where(valid, label, -1), valid)
    torch.testing.assert_close(torch.stack(masked), torch.stack(kept))


@pytest.mark.parametrize(("candidates", "negatives"), list(itertools.product(CANDIDATES, NEGATIVES)))
def test_no_target_at_all(candidates: Candidates, negatives: Negatives) -> None:
    f, anchors, label = draw(3)
    config = ContrastiveConfig(candidates=candidates, negatives=negatives, learn_temperature=True)
    alignment = DescriptionAlignment(config, 5, anchors, COUNTS)
    f.requires_grad_()
    contrastive, negative = alignment.loss(alignment(f), label, torch.zeros(3, dtype=torch.bool))
    (contrastive + negative).backward()
    assert (contrastive.item(), negative.item()) == (0, 0)
    assert not gradient(f).any()


@pytest.mark.parametrize("negatives", NEGATIVES)
@pytest.mark.parametrize("candidates", CANDIDATES)
def test_a_held_out_class_is_neither_candidate_nor_negative(candidates: Candidates, negatives: Negatives) -> None:
    """In zero-shot training Eq. 5 and 7 run over the training utterances' classes: nothing pushes from the unseen."""
    f, anchors, label = draw(9)
    config = ContrastiveConfig(candidates=candidates, negatives=negatives)
    alignment = DescriptionAlignment(config, 5, anchors, (5, 1, 3, 0))
    cosine = alignment(f).detach().requires_grad_()
    losses = alignment.loss(cosine, label.clamp(max=2), torch.ones(9, dtype=torch.bool))
    (gradient,) = torch.autograd.grad(losses.contrastive + losses.negative, cosine)
    assert gradient[:, :3].any()
    assert not gradient[:, 3].any()


@pytest.mark.parametrize(
    ("candidates", "negatives", "reduction"), list(itertools.product(CANDIDATES, NEGATIVES, ("mean", "sum")))
)
@pytest.mark.parametrize("known", [0, 1, 6])
def test_utterances_without_a_target_change_nothing(
    candidates: Candidates, negatives: Negatives, reduction: Reduction, known: int
) -> None:
    config = ContrastiveConfig(candidates=candidates, negatives=negatives, reduction=reduction, temperature=0.07)
    f, anchors, label = draw(9)
    alignment = DescriptionAlignment(config, 5, anchors, COUNTS)
    valid = torch.arange(9) < known
    both = f.clone().requires_grad_()
    for nonsense in (-1, 3):
        found = alignment.loss(alignment(both), label.where(valid, nonsense), valid)
        (gradient,) = torch.autograd.grad(found.contrastive + found.negative, both)
        if known:
            alone = f[valid].clone().requires_grad_()
            expected = losses(alignment, alone, label[valid])
            (expected_gradient,) = torch.autograd.grad(expected[0] + expected[1], alone)
            torch.testing.assert_close(tuple(found), tuple(expected))
            torch.testing.assert_close(gradient[valid], expected_gradient)
        else:
            assert tuple(found) == (0, 0)
        assert not gradient[~valid].any()
