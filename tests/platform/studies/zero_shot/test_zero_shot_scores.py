"""Zero-shot scores against scikit-learn, and what must hold between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from fmerl_platform.studies.zero_shot.scores import zero_shot_scores

N_CLASSES = 5

labels = st.lists(st.tuples(st.integers(0, N_CLASSES - 1), st.integers(0, N_CLASSES - 1)), min_size=1, max_size=60)
held_out = st.sets(st.integers(0, N_CLASSES - 1), min_size=1, max_size=N_CLASSES - 2)


def scored(pairs: list[tuple[int, int]], unseen: set[int]) -> dict[str, float]:
    gold, predicted = np.array(pairs).T
    confusion = confusion_matrix(gold, predicted, labels=range(N_CLASSES)).astype(float)
    return {name: float(score(confusion)) for name, score in zero_shot_scores(sorted(unseen), N_CLASSES).items()}


@given(labels, held_out)
def test_scores_equal_scikit_learn(pairs: list[tuple[int, int]], unseen: set[int]) -> None:
    found = scored(pairs, unseen)
    gold, predicted = np.array(pairs).T
    of_unseen = np.isin(gold, list(unseen))
    assert found["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    everything = {"labels": range(N_CLASSES), "average": "weighted", "zero_division": 0}
    assert found["weighted_f1"] == pytest.approx(f1_score(gold, predicted, **everything))
    if of_unseen.any():
        rows = gold[of_unseen], predicted[of_unseen]
        assert found["unseen_accuracy"] == pytest.approx(accuracy_score(*rows))
        assert found["subset_weighted_f1"] == pytest.approx(f1_score(*rows, **everything))
        one_vs_rest = f1_score(gold, predicted, labels=sorted(unseen), average="weighted", zero_division=0)
        assert found["one_vs_rest_f1"] == pytest.approx(one_vs_rest)
        assert found["unseen_as_seen"] == pytest.approx(np.mean(~np.isin(rows[1], list(unseen))))
    if not of_unseen.all():
        assert found["seen_accuracy"] == pytest.approx(accuracy_score(gold[~of_unseen], predicted[~of_unseen]))


@given(labels, st.integers(0, N_CLASSES - 1))
def test_of_one_class_the_subset_f1_follows_from_the_accuracy(pairs: list[tuple[int, int]], unseen: int) -> None:
    """Why Table 2's F1 and accuracy hold the same information."""
    found = scored(pairs, {unseen})
    rate = found["unseen_accuracy"]
    assert found["subset_weighted_f1"] == pytest.approx(2 * rate / (1 + rate))


@given(labels, held_out)
def test_bounds_and_shares(pairs: list[tuple[int, int]], unseen: set[int]) -> None:
    found = scored(pairs, unseen)
    assert all(-1e-12 <= value <= 1 + 1e-12 for value in found.values())
    share = np.isin(np.array(pairs)[:, 0], list(unseen)).mean()
    whole = share * found["unseen_accuracy"] + (1 - share) * found["seen_accuracy"]
    assert found["accuracy"] == pytest.approx(whole)
    assert found["unseen_accuracy"] + found["unseen_as_seen"] <= 1 + 1e-12
    lower, upper = sorted((found["unseen_accuracy"], found["seen_accuracy"]))
    assert lower - 1e-12 <= found["harmonic_mean"] <= upper + 1e-12
    # A seen utterance that is called unseen costs the one-vs-rest F1 alone.
    assert found["one_vs_rest_f1"] <= found["subset_weighted_f1"] + 1e-12


def test_by_hand() -> None:
    found = scored([(0, 0)] * 6 + [(0, 4)] * 2 + [(4, 4)] * 1 + [(4, 0)] * 3, {4})
    assert found["unseen_accuracy"] == 0.25
    assert found["subset_weighted_f1"] == pytest.approx(0.4)
    assert found["one_vs_rest_f1"] == pytest.approx(2 / 7)
    assert found["seen_accuracy"] == 0.75
    assert found["harmonic_mean"] == pytest.approx(0.375)
    assert found["unseen_as_seen"] == 0.75


def test_matrices_of_any_shape() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (3, 2, N_CLASSES, N_CLASSES)).astype(float)
    for score in zero_shot_scores([1, 2], N_CLASSES).values():
        whole = score(counts)
        assert whole.shape == (3, 2)
        assert whole[2, 1] == pytest.approx(float(score(counts[2, 1])))
