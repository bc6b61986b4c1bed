"""No gradient, statistic, centre or selection ever sees a label or a score of an unseen class.

Unseen labels are changed in every way that leaves them unseen: another unseen class, no class, other scores, no scores.
A trained cell must not differ by one bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from fmerl.config import CellConfig
from fmerl.model import FMERL, SYSTEMS
from fmerl.training.batching import BatchLoader
from fmerl.training.cell import CellResult, train_cell
from fmerl.training.dataset import CONTEXT_ONLY, ConversationData
from fmerl.training.loop import build_model

MakeData = Callable[..., ConversationData]
CPU = torch.device("cpu")
UNSEEN = (2, 3)
NAMES = tuple(f"class {index}" for index in UNSEEN)
BY_ROW = ("utterance_id", "dialogue_id", "turn", "speaker_name", "speaker", "label", "vad")

SETTINGS = [
    {
        "contrastive__candidates": candidates,
        "contrastive__negatives": negatives,
        "contrastive__center_anchors": center,
        "contrastive__class_weights": weights,
        "contrastive__reduction": reduction,
    }
    for (candidates, negatives, weights, center), reduction in zip(
        product(
            ("unique", "in_batch", "multi_positive"),
            ("classes", "classes_per_utterance", "in_batch"),
            ("none", "inverse_frequency"),
            (False, True),
        ),
        ("mean", "sum") * 18,
        strict=True,
    )
]
"""Every combination of the losses' switches, with either reduction in turn."""


def in_training(data: ConversationData) -> np.ndarray:
    """Rows of train and validation with an unseen class, [U]."""
    return np.repeat(data.split < 2, np.diff(data.offsets)) & np.isin(data.label, UNSEEN)


def relabelled(data: ConversationData, unseen: np.ndarray) -> Iterator[ConversationData]:
    """Changes of unseen labels and scores that must not matter; features stay."""
    draw = np.random.default_rng(5)
    swapped = np.where(unseen, sum(UNSEEN) - data.label, data.label)
    wild = np.where(unseen[:, None], draw.uniform(-1e6, 1e6, data.vad.shape), data.vad).astype(np.float32)
    yield replace(data, label=swapped, vad=wild)
    permuted = data.label.copy()
    permuted[unseen] = draw.permutation(data.label[unseen])
    scores = data.vad.copy()
    scores[unseen] = draw.permutation(data.vad[unseen])
    yield replace(data, label=permuted, vad=scores)


def unknown(data: ConversationData, unseen: np.ndarray, how: str) -> ConversationData:
    """The corpus of someone who never had these labels: unlabelled utterances, or none at all."""
    if how == "context":
        vad = np.where(unseen[:, None], np.float32(np.nan), data.vad)
        return replace(data, label=np.where(unseen, CONTEXT_ONLY, data.label), vad=vad)
    kept = ~unseen
    dialogue = np.repeat(np.arange(len(data.split)), np.diff(data.offsets))[kept]
    left, lengths = np.unique(dialogue, return_counts=True)
    return replace(
        data,
        **{name: getattr(data, name)[kept] for name in BY_ROW},
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        split=data.split[left],
        features={name: values[kept] for name, values in data.features.items()},
        missing={name: values[kept] for name, values in data.missing.items()},
    )


def trained(config: CellConfig, data: ConversationData, anchors: np.ndarray) -> tuple[list[object], CellResult]:
    history: list[object] = []
    result = train_cell(config, data, anchors, 0, on_epoch=lambda _, metrics: history.append(metrics), device=CPU)
    return history, result


def assert_nothing_seen(one: tuple[list[object], CellResult], other: tuple[list[object], CellResult]) -> None:
    """Losses, validation scores, weights and buffers (statistics, anchors, seen classes, class weights), selection."""
    assert one[0] == other[0]
    left, right = one[1], other[1]
    assert list(left.weights) == list(right.weights)
    for name, value in left.weights.items():
        assert torch.equal(value, right.weights[name]), name
    for metric in ("selected_epoch", "validation_selected_weighted_f1", "test_weighted_f1", "test_oracle_weighted_f1"):
        assert left.metrics[metric] == right.metrics[metric]


@pytest.mark.parametrize("how", ["context", "deleted"])
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: "-".join(map(str, setting.values())))
def test_no_label_or_score_of_an_unseen_class_is_used(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, setting: dict[str, object], how: str
) -> None:
    data = make_data()
    unseen = in_training(data)
    assert unseen.sum() > 5
    plain = tiny.changed(**setting, training__epochs=1)
    zero_shot = plain.changed(training__unseen_classes=NAMES, training__unseen_utterances=how)
    reference = trained(zero_shot, data, anchors)
    assert_nothing_seen(trained(zero_shot, next(relabelled(data, unseen)), anchors), reference)
    assert_nothing_seen(trained(plain, unknown(data, unseen, how), anchors), reference)


@pytest.mark.parametrize("how", ["context", "deleted"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_of_no_system(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, system: str, how: str) -> None:
    data = make_data()
    unseen = in_training(data)
    plain = tiny.changed(system__name=system, system__class_weights="inverse_frequency", training__epochs=2)
    zero_shot = plain.changed(training__unseen_classes=NAMES, training__unseen_utterances=how)
    reference = trained(zero_shot, data, anchors)
    for changed in relabelled(data, unseen):
        assert_nothing_seen(trained(zero_shot, changed, anchors), reference)
    assert_nothing_seen(trained(plain, unknown(data, unseen, how), anchors), reference)


@pytest.mark.parametrize("how", ["context", "deleted"])
@pytest.mark.parametrize("selection", [("validation", False), ("last", False), ("last", True)])
def test_whatever_selects(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, selection: tuple[str, bool], how: str
) -> None:
    data = make_data()
    zero_shot = tiny.changed(
        training__selection=selection[0],
        training__train_on_validation=selection[1],
        training__unseen_classes=NAMES,
        training__unseen_utterances=how,
    )
    reference = trained(zero_shot, data, anchors)
    for changed in relabelled(data, in_training(data)):
        assert_nothing_seen(trained(zero_shot, changed, anchors), reference)


def test_the_check_would_notice_a_seen_label(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data = make_data()
    zero_shot = tiny.changed(training__unseen_classes=NAMES)
    seen = np.flatnonzero(np.isin(data.label, [0, 1]))[0]
    label, vad = data.label.copy(), data.vad.copy()
    label[seen] = 1 - label[seen]
    reference = trained(zero_shot, data, anchors)
    with pytest.raises(AssertionError):
        assert_nothing_seen(trained(zero_shot, replace(data, label=label), anchors), reference)
    vad[seen] = 5 - np.nan_to_num(vad[seen])
    with pytest.raises(AssertionError):
        assert_nothing_seen(trained(zero_shot, replace(data, vad=vad), anchors), reference)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: "-".join(map(str, setting.values())))
def test_no_gradient_of_an_unseen_utterance_or_anchor(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, setting: dict[str, object]
) -> None:
    config = tiny.changed(**setting, training__unseen_classes=NAMES, training__batch_size=100)
    whole = make_data()
    data = whole.subset("train").without_classes(NAMES, "context")
    hidden = np.isin(whole.subset("train").label, UNSEEN)
    model = build_model(config, data, anchors, 0)
    loader = BatchLoader(data, config.tables, config.training, CPU)
    (batch,) = loader.shuffled(torch.Generator().manual_seed(0))
    output = model(batch)
    output.scores.retain_grad()
    output.vad.retain_grad()
    model.loss(output, batch).total.backward()
    scores, vad = output.scores.grad, output.vad.grad
    rows = torch.from_numpy(hidden)[batch.rows]
    assert rows.sum() > 3
    assert not scores[rows].any(), "an unseen utterance is in no loss"
    assert not vad[rows].any()
    assert not scores[:, list(UNSEEN)].any(), "no utterance is drawn to or from an unseen anchor"
    assert scores[~rows].any()
    assert vad[~rows].any()


def test_anchors_are_centred_on_seen_classes(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    train = make_data().subset("train").without_classes(NAMES, "context")
    model = build_model(tiny.changed(contrastive__center_anchors=True), train, anchors, 0)
    assert isinstance(model, FMERL)
    centred = anchors - anchors[:2].mean(0)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(model.alignment.anchors.numpy(), expected, rtol=1e-5)
    assert model.alignment.seen.tolist() == [True, True, False, False]
