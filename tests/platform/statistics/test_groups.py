"""Predictions without seeds, and scores beyond weighted F1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_studies import StudyModel, simulate_study
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_fscore_support

from fmerl_platform.statistics import (
    SCORES,
    CellPredictions,
    PairedScores,
    balanced_accuracy,
    class_f1,
    class_precision,
    class_recall,
    compare,
    confusion_by_dialogue,
    estimate,
    macro_f1,
)

Cells = list[CellPredictions]


def systems(effects: tuple[float, ...], seed: int = 7) -> dict[str, Cells]:
    control, variants = simulate_study(np.random.default_rng(seed), StudyModel(effects=effects, n_dialogues=60))
    return {"FMERL": control, **variants}


# Without seeds


def test_predictions_without_a_seed_are_compared_with_every_seed_of_the_other_side() -> None:
    cells = systems((0.6,))
    single = [replace(cells["variant 1"][0], seed=None)]
    found = compare(cells["FMERL"], {"single": single}, 7, resamples=100)["single"]
    copies = [replace(single[0], seed=seed) for seed in range(5)]
    expected = compare(cells["FMERL"], {"single": copies}, 7, resamples=100)["single"]
    assert found.n_pairs == 5
    assert (found.delta, found.p_value) == pytest.approx((expected.delta, expected.p_value))
    assert found.missing_in_control == found.missing_in_variant == ()
    back = compare(single, {"FMERL": cells["FMERL"]}, 7, resamples=100)["FMERL"]
    assert (back.delta, back.p_value) == pytest.approx((-found.delta, found.p_value))


def test_two_single_predictions_are_one_pair_and_never_decided() -> None:
    cells = systems((1.5,))
    one, other = ([replace(cells[name][0], seed=None)] for name in cells)
    found = compare(one, {"other": other}, 7, resamples=100)["other"]
    assert (found.n_pairs, found.verdict) == (1, "inconclusive")
    assert found.ci_low < found.delta < found.ci_high
    with pytest.raises(ValueError, match="share a seed"):
        compare([*one, *cells["FMERL"]], {"other": other}, 7, resamples=10)


# Scores


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_scores_of_classes_equal_scikit_learn(rows: list[tuple[int, int]]) -> None:
    gold, predicted = (np.array(column) for column in zip(*rows, strict=True))
    cell = CellPredictions(seed=0, dialogue=np.zeros(len(gold)), gold=gold, predicted=predicted)
    confusion = confusion_by_dialogue([cell], 5).sum(axis=(0, 1))
    expected = precision_recall_fscore_support(gold, predicted, labels=range(5), zero_division=0)
    for found, right in zip((class_precision, class_recall, class_f1), expected, strict=False):
        np.testing.assert_allclose(found(confusion), right)
    present = np.unique(gold)
    assert macro_f1(confusion) == pytest.approx(
        f1_score(gold, predicted, labels=present, average="macro", zero_division=0)
    )
    if len(present) > 1 and set(predicted) <= set(gold):  # scikit-learn warns of one class, and of others
        assert balanced_accuracy(confusion) == pytest.approx(balanced_accuracy_score(gold, predicted))


# Folds


def in_folds(fold_sd: float) -> tuple[Cells, Cells]:
    model = StudyModel(effects=(0.3,), n_dialogues=60, n_folds=5, fold_sd=fold_sd)
    control, variants = simulate_study(np.random.default_rng(3), model)
    return control, variants["variant 1"]


def test_whole_folds_are_drawn_where_cells_come_from_folds() -> None:
    groups = in_folds(fold_sd=1.0)
    bare = [[replace(cell, fold=None) for cell in cells] for cells in groups]
    with_folds, without = (PairedScores(each, 7, SCORES, resamples=2000, seed=0) for each in (groups, bare))
    wide, narrow = (paired.effect("weighted_f1", paired.pairs(1, 0)) for paired in (with_folds, without))
    assert (wide.n_folds, narrow.n_folds, narrow.fold_variance) == (5, 1, 0.0)
    assert replace(wide, fold_variance=0.0, n_folds=1) == narrow, "seeds and dialogues are as without folds"
    drawn = [[replace(cell, dialogue=np.asarray(cell.fold), fold=None) for cell in cells] for cells in groups]
    by_fold = PairedScores(drawn, 7, SCORES, resamples=2000, seed=0)
    whole = by_fold.effect("weighted_f1", by_fold.pairs(1, 0))
    assert wide.dialogue_variance + wide.fold_variance == pytest.approx(whole.dialogue_variance)
    assert wide.fold_variance > narrow.dialogue_variance


def test_verdicts_and_estimates_cover_new_folds() -> None:
    control, variant = in_folds(fold_sd=1.0)
    bare = [[replace(cell, fold=None) for cell in cells] for cells in (control, variant)]
    found = compare(control, {"v": variant}, 7, resamples=500, margin=0.1)["v"]
    plain = compare(bare[0], {"v": bare[1]}, 7, resamples=500, margin=0.1)["v"]
    assert (found.delta, found.p_value_sign_flip) == (plain.delta, plain.p_value_sign_flip)
    assert found.p_value > plain.p_value
    assert found.dialogue_variance > plain.dialogue_variance
    assert found.equivalence is not None
    assert plain.equivalence is not None
    assert found.equivalence.p_value != plain.equivalence.p_value
    wide, narrow = (estimate(cells, 7, resamples=500) for cells in (variant, bare[1]))
    assert wide.mean == narrow.mean
    assert wide.ci_high - wide.ci_low > narrow.ci_high - narrow.ci_low


def test_cells_of_folds_beside_cells_of_none_are_compared_by_dialogues() -> None:
    control, variant = in_folds(fold_sd=1.0)
    bare = [replace(cell, fold=None) for cell in variant]
    found = compare(control, {"v": bare}, 7, resamples=100)["v"]
    assert found == compare([replace(cell, fold=None) for cell in control], {"v": bare}, 7, resamples=100)["v"]
