"""The compared systems' losses against their equations, one pair at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from fmerl.config import CellConfig
from fmerl.model.baselines.losses import soft_hgr, supervised_contrastive
from fmerl.model.baselines.sacl import SACL
from fmerl.model.baselines.sdt import SDT
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData
from fmerl.training.loop import build_model

MakeData = Callable[..., ConversationData]


@pytest.mark.parametrize(("focus", "weighted"), [(0.0, False), (2.0, True)])
def test_supervised_contrastive(focus: float, weighted: bool) -> None:
    torch.manual_seed(0)
    x, label = torch.randn(7, 4, dtype=torch.float64), torch.tensor([0, 1, 0, 2, 1, 0, 3])
    weight = torch.tensor([1.0, 2.0, 1.0, 5.0, 2.0, 1.0, 9.0]) if weighted else None
    unit = (x / x.norm(dim=1, keepdim=True)).tolist()
    similar = [[math.exp(sum(a * b for a, b in zip(p, q, strict=True)) / 0.5) for q in unit] for p in unit]
    total = counted = 0.0
    for i in range(7):
        positives = [j for j in range(7) if j != i and label[j] == label[i]]
        if not positives:
            continue
        others = sum(similar[i][j] for j in range(7) if j != i)
        shares = [similar[i][j] / others for j in positives]
        loss = -sum((1 - share) ** focus * math.log(share) for share in shares) / len(shares)
        total += loss * (float(weight[i]) if weight is not None else 1)
        counted += float(weight[i]) if weight is not None else 1
    found = supervised_contrastive(x, label, 0.5, focus=focus, weight=weight)
    assert found.item() == pytest.approx(total / counted, rel=1e-6)


def test_without_a_pair_there_is_no_contrast() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    for rows in (slice(0), slice(1), slice(3)):
        loss = supervised_contrastive(x[rows], torch.arange(3)[rows], 0.1)
        assert loss.item() == 0
        (gradient,) = torch.autograd.grad(loss, x)
        assert not gradient.any()


def test_soft_hgr() -> None:
    draw = np.random.default_rng(0)
    f, g = draw.normal(size=(2, 9, 3))
    centred = [x - x.mean(0) for x in (f, g)]
    expected = (centred[0] * centred[1]).sum(1).mean() - np.trace(np.cov(f.T) @ np.cov(g.T)) / 2
    assert soft_hgr(torch.tensor(f), torch.tensor(g)).item() == pytest.approx(expected)
    assert soft_hgr(torch.ones(1, 3), torch.ones(1, 3)).item() == 0


def test_sacls_perturbation_makes_each_labelled_utterance_harder(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    config = tiny.changed(system__name="SACL-LSTM", backbone__dropout=0.0, system__sacl__radius=0.01)
    model = build_model(config, data, anchors, 0)
    assert isinstance(model, SACL)
    (batch,) = BatchLoader(data, config.tables, config.training, torch.device("cpu")).in_order(10_000)
    output = model.train()(batch)
    known = batch.label >= 0
    harder = torch.nn.functional.cross_entropy(
        output.adversarial_scores[known], batch.label[known], reduction="none"
    ) - torch.nn.functional.cross_entropy(output.scores[known], batch.label[known], reduction="none")
    assert (harder > 0).all()
    assert torch.equal(output.adversarial_scores[~known], output.scores[~known])


def test_sdts_students_learn_from_the_teacher_and_it_from_them(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    config = tiny.changed(system__name="SDT", system__sdt__temperature=2.0)
    model = build_model(config, data, anchors, 0).eval()
    assert isinstance(model, SDT)
    (batch,) = BatchLoader(data, config.tables, config.training, torch.device("cpu")).in_order(10_000)
    output = model(batch)
    known = batch.label >= 0
    expected = torch.zeros(())
    teacher = torch.softmax(output.scores[known] / 2, dim=1)
    for logits in (output.scores, *output.students.unbind(1)):
        expected = (
            expected - torch.log_softmax(logits[known], 1)[torch.arange(int(known.sum())), batch.label[known]].mean()
        )
        student = torch.softmax(logits[known] / 2, dim=1)
        expected = expected + (teacher * (teacher / student).log()).sum(1).mean()
    assert model.loss(output, batch).total.item() == pytest.approx(expected.item(), rel=1e-5)
