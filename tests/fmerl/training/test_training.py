"""The training loop: what it draws, what it restores, what it is given, and a loss curve kept in git.

`FMERL_REGENERATE_GOLDEN=1 python -m pytest tests/fmerl/training/test_training.py -k golden` writes the curve anew; do
so only after a change that is meant to change numbers, and say so in the commit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fmerl.config import CellConfig
from fmerl.training.dataset import ConversationData
from fmerl.training.loop import DivergedError, build_model, deterministic, random_state, train_epochs

MakeData = Callable[..., ConversationData]
CPU = torch.device("cpu")
GOLDEN = Path(__file__).parent / "golden" / "training_losses.json"
METRICS = {
    "train_loss",
    "train_mse_loss",
    "train_contrastive_loss",
    "train_negative_loss",
    "validation_weighted_f1",
    "validation_accuracy",
}


def run(config: CellConfig, data: ConversationData, anchors: np.ndarray, seed: int = 0) -> list[dict[str, float]]:
    with deterministic(config.training.threads):
        seen = data.subset("train", "validation")
        model = build_model(config, seen.subset("train"), anchors, seed)
        return list(train_epochs(model, seen, seed, CPU))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_golden_losses(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    # No dropout: its masks differ between builds of PyTorch, initial weights and data order do not.
    history = run(tiny.changed(backbone__dropout=0.0), make_data(), anchors)
    losses = {name: [epoch[name] for epoch in history] for name in sorted(METRICS) if name.startswith("train")}
    if os.environ.get("FMERL_REGENERATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(losses, indent=2) + "\n")
        pytest.skip(f"{GOLDEN.name} written anew")
    golden = json.loads(GOLDEN.read_text())
    assert set(losses) == set(golden)
    for name, curve in losses.items():
        assert curve == pytest.approx(golden[name], rel=1e-4), name


def test_every_epoch_reports_the_same_metrics(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    history = run(tiny, make_data(), anchors)
    assert len(history) == tiny.training.epochs
    for epoch in history:
        assert set(epoch) == METRICS
        assert all(np.isfinite(value) for value in epoch.values())
        triple = epoch["train_contrastive_loss"] + 0.5 * epoch["train_negative_loss"]
        assert epoch["train_loss"] == pytest.approx(epoch["train_mse_loss"] + triple, rel=1e-5)


def test_loss_falls(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data = make_data(((6,) * 30, (6,) * 5), noise=0.3, missing=0.05)
    history = run(tiny.changed(training__epochs=6), data, anchors)
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
    assert history[-1]["train_contrastive_loss"] < 0.7 * history[0]["train_contrastive_loss"]
    assert history[-1]["train_mse_loss"] < history[0]["train_mse_loss"]


def test_numbers_do_not_depend_on_the_callers_state(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data = make_data()
    torch.manual_seed(1)
    np.random.seed(1)
    first = run(tiny, data, anchors)
    torch.manual_seed(2)
    np.random.seed(2)
    with threads(2):
        assert run(tiny, data, anchors) == first
    assert run(tiny, data, anchors, seed=1) != first


def test_an_epoch_follows_from_its_weights_and_number_alone(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    longer = run(tiny.changed(training__epochs=4), data, anchors)
    assert run(tiny.changed(training__epochs=2), data, anchors) == longer[:2]


def test_what_happens_between_epochs_changes_nothing(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    undisturbed = run(tiny, data, anchors)
    with deterministic(1):
        model = build_model(tiny, data.subset("train"), anchors, 0)
        history = []
        for metrics in train_epochs(model, data.subset("train", "validation"), 0, CPU):
            history.append(metrics)
            torch.rand(17)
            model.eval()
    assert history == undisturbed


def test_dropout_is_drawn_anew_in_every_epoch(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data = make_data(((9,), (5,)))  # one training dialogue and weights that stand still: nothing but dropout varies
    still = tiny.changed(training__learning_rate=1e-12)
    assert len({epoch["train_loss"] for epoch in run(still, data, anchors)}) == tiny.training.epochs
    assert len({epoch["train_loss"] for epoch in run(still.changed(backbone__dropout=0.0), data, anchors)}) == 1


def test_every_epoch_trains_on_every_utterance_once_in_its_own_order(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    model = build_model(tiny, data.subset("train"), anchors, 0)
    rows: list[int] = []
    model.register_forward_pre_hook(lambda module, args: rows.extend(args[0].rows.tolist() if module.training else ()))
    orders = []
    for _ in train_epochs(model, data.subset("train", "validation"), 0, CPU):
        orders.append(tuple(rows))
        rows.clear()
    assert len(set(orders)) == tiny.training.epochs
    assert all(sorted(order) == list(range(len(data.subset("train").label))) for order in orders)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("mode", [(False, False), (True, False), (True, True)])
def test_the_callers_settings_come_back(monkeypatch: pytest.MonkeyPatch, mode: tuple[bool, bool], fails: bool) -> None:
    def settings() -> tuple[object, ...]:
        return (
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
            torch.get_rng_state().tolist(),
        )

    outside = settings()
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(mode[0], warn_only=mode[1])
    try:
        with threads(2):
            before = settings()
            with pytest.raises(ZeroDivisionError) if fails else nullcontext(), deterministic(1):
                assert settings()[:3] == (1, True, False)
                torch.manual_seed(99)
                if fails:
                    raise ZeroDivisionError
            assert settings() == before
    finally:
        torch.use_deterministic_algorithms(bool(outside[1]), warn_only=bool(outside[2]))


def test_random_states_are_independent_and_stable() -> None:
    states = {random_state(seed, purpose, epoch) for seed in range(5) for purpose in "ab" for epoch in range(20)}
    assert len(states) == 200
    assert random_state(1, 23) != random_state(12, 3)
    assert all(0 <= state < 2**63 for state in states)
    # First 8 bytes of SHA-256("0:init"), halved; never Python's salted hash.
    assert random_state(0, "init") == 6330864514314334385


def test_divergence_stops_the_cell(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    with pytest.raises(DivergedError, match="learning_rate"):
        run(tiny.changed(training__learning_rate=1e30), make_data(), anchors)


def test_the_initial_model_depends_on_the_seed_and_on_train_alone(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    config = tiny.changed(contrastive__class_weights="inverse_frequency", contrastive__center_anchors=True)
    first, same, other = (build_model(config, data.subset("train"), anchors, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["backbone.attention_out.weight"], other["backbone.attention_out.weight"])
    label = data.subset("train").label
    counts = np.bincount(label[label >= 0], minlength=4)
    np.testing.assert_allclose(first["alignment.class_weight"], counts.sum() / counts, rtol=1e-6)


@pytest.mark.parametrize("dimensions", [(), ("valence", "dominance"), ("arousal",)])
def test_a_variant_with_fewer_nets_starts_from_the_same_weights_elsewhere(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray, dimensions: tuple[str, ...]
) -> None:
    data = make_data().subset("train")
    variant = build_model(tiny.changed(regression__dimensions=dimensions), data, anchors, 0).state_dict()
    control = build_model(tiny, data, anchors, 0).state_dict()
    shared = {name for name in control if not name.startswith("regression")}
    assert shared <= set(variant)
    assert all(torch.equal(variant[name], control[name]) for name in shared)


def test_the_null_embedding_and_the_anchors_stay_as_they_are(
    make_data: MakeData, tiny: CellConfig, anchors: np.ndarray
) -> None:
    data = make_data()
    with deterministic(1):
        model = build_model(tiny, data.subset("train"), anchors, 0)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        for _ in train_epochs(model, data.subset("train", "validation"), 0, CPU):
            pass
    after = model.state_dict()
    assert not after["backbone.speaker.weight"][data.n_speakers].any()
    frozen = {name for name in before if torch.equal(before[name], after[name])}
    assert frozen == {name for name, _ in model.named_buffers() if name in before}
    assert {"alignment.anchors", "backbone.standardize.audio.mean"} <= frozen


def relabelled(data: ConversationData, split: int) -> ConversationData:
    """One split with other labels and scores."""
    rows = np.repeat(data.split == split, np.diff(data.offsets))
    label = np.where(rows & (data.label >= 0), (data.label + 1) % 4, data.label)
    return replace(data, label=label, vad=np.where(rows[:, None], 5 - data.vad, data.vad))


def test_validation_is_trained_on_only_when_asked(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> None:
    data, both = make_data(), tiny.changed(training__train_on_validation=True, training__selection="last")

    def losses(config: CellConfig, corpus: ConversationData) -> list[float]:
        return [epoch["train_loss"] for epoch in run(config, corpus, anchors)]

    assert losses(tiny, relabelled(data, 1)) == losses(tiny, data)
    assert losses(both, relabelled(data, 1)) != losses(both, data)
    assert losses(both, data) != losses(tiny, data)
