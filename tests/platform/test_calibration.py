"""The verdict keeps its word: error rates, coverage and power in simulated studies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from simulated_studies import (
    StudyModel,
    calibrate,
    calibrate_on_predictions,
    population_score,
    simulate_study,
    true_effect,
)

from fmerl_platform.statistics import CrossedMean, accuracy, confusion_by_dialogue, weighted_f1
from fmerl_platform.statistics.crossed import seeds_to_decide

MELD = StudyModel()
IEMOCAP = StudyModel(n_dialogues=31, mean_utterances=52, class_counts=(144, 245, 384, 170, 299, 381))
FIVE_FOLDS = replace(IEMOCAP, n_dialogues=151, n_folds=5)


def test_simulated_studies_follow_the_generator_alone() -> None:
    (control, variants), (again, _) = (simulate_study(np.random.default_rng(3), MELD) for _ in range(2))
    assert [len(variants), len(control)] == [6, 5]
    for one, other in zip(control, again, strict=True):
        assert np.array_equal(one.predicted, other.predicted)
    assert len(np.unique(control[0].dialogue)) == 280
    assert not np.array_equal(control[0].predicted, control[1].predicted)


def test_population_score_is_what_a_large_study_scores() -> None:
    model = replace(MELD, effects=(0.5,), n_seeds=8, n_dialogues=3000, dialogue_sd=0.5)
    control, variants = simulate_study(np.random.default_rng(0), model)
    for cells, effect in ((control, 0.0), (variants["variant 1"], 0.5)):
        confusion = confusion_by_dialogue(cells, 7).sum(axis=(0, 1))
        assert weighted_f1(confusion) == pytest.approx(population_score(model, effect), abs=0.01)
        assert accuracy(confusion) > 0.6


def test_satterthwaite_would_reject_too_often_and_cochran_cox_does_not() -> None:
    """Why the two levels' t quantiles are weighted: five seeds that carry nine tenths of the variance."""
    rng = np.random.default_rng(0)
    truth = CrossedMean(mean=0, seed_variance=0.9, dialogue_variance=0.1, n_seeds=5, n_dialogues=280)
    draws, level = 20_000, 0.05 / 6
    means = rng.standard_normal(draws)
    seed_variances, dialogue_variances = 0.9 * rng.chisquare(4, draws) / 4, 0.1 * rng.chisquare(279, draws) / 279
    errors = np.sqrt(seed_variances + dialogue_variances)
    df = errors**4 / (seed_variances**2 / 4 + dialogue_variances**2 / 279)
    satterthwaite = np.mean(np.abs(means) / errors > stats.t.isf(level / 2, df))
    cochran_cox = np.mean(
        [
            abs(mean) / error > replace(truth, seed_variance=seed, dialogue_variance=dialogue).critical_value(level)
            for mean, error, seed, dialogue in zip(means, errors, seed_variances, dialogue_variances, strict=True)
        ]
    )
    assert satterthwaite > 1.5 * level
    assert cochran_cox < level * 1.15


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        pytest.param(MELD, id="meld"),
        pytest.param(replace(MELD, seed_sd=0.15), id="meld-unstable-training"),
        pytest.param(replace(MELD, dialogue_sd=0.8), id="meld-variants-differ-by-dialogue"),
        pytest.param(replace(MELD, n_seeds=3, dialogue_sd=0.3), id="meld-three-seeds"),
        pytest.param(IEMOCAP, id="iemocap"),
        pytest.param(replace(IEMOCAP, dialogue_sd=0.3), id="iemocap-variants-differ-by-dialogue"),
        pytest.param(FIVE_FOLDS, id="iemocap-in-five-folds"),
        pytest.param(replace(FIVE_FOLDS, n_folds=10, fold_sd=0.2), id="iemocap-ten-folds-that-differ"),
    ],
)
def test_studies_without_effect_are_rarely_decided_and_intervals_cover(model: StudyModel) -> None:
    result = calibrate(400, model)
    excess = stats.binomtest(result.family_wise_errors, result.n_studies, 0.05, alternative="greater")
    assert excess.pvalue > 0.025, f"family-wise error {result.family_wise_errors} of {result.n_studies}"
    assert 0.92 <= result.coverage <= 0.99


@pytest.mark.slow
def test_five_folds_that_differ_are_decided_too_often_by_no_more_than_is_told() -> None:
    """Five folds cannot tell a small difference between folds from none; docs/statistics.md says what follows."""
    result = calibrate(400, replace(FIVE_FOLDS, fold_sd=0.1))
    assert stats.binomtest(result.family_wise_errors, result.n_studies, 0.1, alternative="greater").pvalue > 0.025
    assert 0.92 <= result.coverage <= 0.99


@pytest.mark.slow
def test_predictions_dealt_at_random_are_rarely_decided() -> None:
    control, variants = simulate_study(np.random.default_rng(5), replace(MELD, effects=(0.2, -0.2, 0, 0, 0, 0)))
    cells = [*control, *(cell for variant in variants.values() for cell in variant)]
    result = calibrate_on_predictions(300, cells, 7)
    excess = stats.binomtest(result.family_wise_errors, result.n_studies, 0.05, alternative="greater")
    assert excess.pvalue > 0.025, f"family-wise error {result.family_wise_errors} of {result.n_studies}"
    assert 0.92 <= result.coverage <= 0.99


@pytest.mark.slow
def test_planned_seeds_find_a_planted_effect_as_often_as_promised() -> None:
    pilot = replace(MELD, effects=(0.2, 0, 0, 0, 0, 0), dialogue_sd=0.3)
    measured = calibrate(150, pilot, seed=1).variants["variant 1"]
    needed = seeds_to_decide(measured.effect, alpha=0.05 / 6, power=0.8)
    assert needed is not None
    assert needed > pilot.n_seeds

    planned = calibrate(150, replace(pilot, n_seeds=needed), seed=2)

    found = planned.variants["variant 1"]
    assert found.promised_power == pytest.approx(0.8, abs=0.06)
    assert found.hurts == 0
    assert stats.binomtest(round(found.helps * 150), 150, 0.8).pvalue > 0.01
    assert found.coverage >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "effect"),
    [
        pytest.param(MELD, 0.3, id="meld"),
        pytest.param(MELD, -0.3, id="meld-below-the-control"),
        pytest.param(replace(MELD, dialogue_sd=0.8), 0.3, id="meld-variants-differ-by-dialogue"),
        pytest.param(replace(MELD, n_seeds=3), 0.3, id="meld-three-seeds"),
        pytest.param(IEMOCAP, 0.4, id="iemocap"),
    ],
)
def test_variants_at_the_margins_edge_are_rarely_equivalent(model: StudyModel, effect: float) -> None:
    edge = replace(model, effects=(effect,) * 6)
    result = calibrate(300, edge, margin=abs(true_effect(model, effect)))
    excess = stats.binomtest(result.false_equivalences, result.n_studies, 0.05, alternative="greater")
    assert excess.pvalue > 0.025, f"false equivalences in {result.false_equivalences} of {result.n_studies}"


@pytest.mark.slow
def test_variants_without_effect_are_found_equivalent_within_a_wide_margin() -> None:
    result = calibrate(100, MELD, margin=true_effect(MELD, 0.3))
    assert result.false_equivalences == 0, "no variant lies at the edge"
    assert min(variant.equivalent for variant in result.variants.values()) > 0.5
