"""Does the verdict keep its word? Simulated studies with known truth, judged by `fmerl_platform.statistics`.

What is measured: how often a study of variants without effect calls any of them helpful or harmful, how often the
intervals cover the true effect, how often a planted effect is found beside what the plan promised, and how often a
variant that lies at a margin's edge is called equivalent within it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from fmerl_platform.statistics import (
    CellPredictions,
    Comparison,
    CrossedMean,
    compare,
    planned_power,
    weighted_f1,
)

MELD_TEST_COUNTS = (1256, 281, 50, 208, 402, 68, 345)
"""Test utterances per class of MELD: neutral, surprise, fear, sadness, joy, disgust, anger."""


@dataclass(frozen=True, kw_only=True)
class StudyModel:
    """How a study's predictions come about: an utterance is right when a normal score is above 0 (a probit model).

    The score is the sum of `skill`, the variant's effect, and normal terms of the standard deviations below, plus a
    standard normal one per cell and utterance. A wrong prediction is the utterance's own distractor class.
    """

    effects: tuple[float, ...] = (0.0,) * 6
    """Shift of each variant's score; the control's is 0."""
    n_seeds: int = 5
    n_dialogues: int = 280
    mean_utterances: float = 9.3
    """Per dialogue; Poisson, at least one."""
    class_counts: tuple[int, ...] = MELD_TEST_COUNTS
    """Relative frequency of the gold classes."""
    skill: float = 1.4
    difficulty_sd: float = 3.0
    """Of utterances, shared by all cells."""
    seed_sd: float = 0.03
    """Of trainings: variant x seed."""
    dialogue_sd: float = 0.0
    """Of what a variant, or the control, is good at: variant x dialogue, shared by its seeds."""
    interaction_sd: float = 0.5
    """Of variant x seed x dialogue."""
    n_folds: int = 1
    """Parts of the dialogues, each tested by trainings of its own; `seed_sd` is then of variant x seed x fold."""
    fold_sd: float = 0.0
    """Of what a variant, or the control, is good at: variant x fold, shared by its seeds."""


def simulate_study(
    rng: np.random.Generator, model: StudyModel
) -> tuple[list[CellPredictions], dict[str, list[CellPredictions]]]:
    """Draw one study: the control's cells and, by name, the variants' cells."""
    n_dialogues, n_classes = model.n_dialogues, len(model.class_counts)
    dialogue = np.repeat(np.arange(n_dialogues), np.maximum(rng.poisson(model.mean_utterances, n_dialogues), 1))
    shares = np.array(model.class_counts) / sum(model.class_counts)
    gold, distractor = rng.choice(n_classes, (2, len(dialogue)), p=shares)
    distractor = np.where(distractor == gold, (gold + 1) % n_classes, distractor)
    difficulty = rng.normal(0, model.difficulty_sd, len(dialogue))
    ids = dialogue.astype(str)
    fold = np.arange(n_dialogues) % model.n_folds
    fold_ids = fold[dialogue].astype(str) if model.n_folds > 1 else None

    def cells(effect: float) -> list[CellPredictions]:
        strengths = model.skill + effect + rng.normal(0, model.dialogue_sd, n_dialogues)
        if fold_ids is not None:
            strengths += rng.normal(0, model.fold_sd, model.n_folds)[fold]
        drawn = []
        for seed in range(model.n_seeds):
            training = rng.normal(0, model.seed_sd, model.n_folds)[fold]
            by_dialogue = strengths + training + rng.normal(0, model.interaction_sd, n_dialogues)
            right = by_dialogue[dialogue] + difficulty + rng.standard_normal(len(dialogue)) > 0
            predicted = np.where(right, gold, distractor)
            drawn.append(CellPredictions(seed=seed, dialogue=ids, gold=gold, predicted=predicted, fold=fold_ids))
        return drawn

    return cells(0.0), {f"variant {number}": cells(effect) for number, effect in enumerate(model.effects, start=1)}


@dataclass(frozen=True, kw_only=True)
class VariantCalibration:
    """What the verdicts on one variant were worth, as shares of the studies."""

    effect: CrossedMean
    """The true effect on weighted F1, with the variances that the studies estimated on average."""
    coverage: float
    """Intervals that hold the true effect."""
    helps: float
    hurts: float
    equivalent: float
    """Tests of equivalence that reject, whatever the verdict; 0 without a margin."""
    promised_power: float
    """What the plan says for this many seeds, from the true effect and the mean variances; at level alpha / number
    of variants, so Holm's step-down may do better."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What the verdicts of many studies of one kind were worth."""

    n_studies: int
    family_wise_errors: int
    """Studies with a verdict other than inconclusive on any variant whose effect is 0."""
    variants: dict[str, VariantCalibration]
    false_equivalences: int = 0
    """Studies in which the tests of equivalence reject for any variant whose effect is at least the margin."""

    @property
    def family_wise_error_interval(self) -> tuple[float, float]:
        """Exact 95% binomial interval of the family-wise error rate."""
        interval = stats.binomtest(self.family_wise_errors, self.n_studies).proportion_ci()
        return interval.low, interval.high

    @property
    def coverage(self) -> float:
        """Over all variants."""
        return float(np.mean([variant.coverage for variant in self.variants.values()]))


def calibrate(
    n_studies: int,
    model: StudyModel,
    *,
    margin: float | None = None,
    alpha: float = 0.05,
    resamples: int = 300,
    seed: int = 0,
) -> Calibration:
    """Simulate studies, compare their variants with their control and count.

    Args:
        n_studies: At least 1; a rate of .05 is known to .014 (95%) from 1,000 studies.
        model: Where the studies come from.
        margin: Largest difference of weighted F1 that counts as none.
        alpha: Level of the verdicts and intervals.
        resamples: Of each comparison; 300 know the dialogues' variance to 8%.
        seed: Of everything drawn.
    """
    rng = np.random.default_rng(seed)
    studies: list[dict[str, Comparison]] = []
    for _ in range(n_studies):
        control, variants = simulate_study(rng, model)
        n_classes, number = len(model.class_counts), len(studies)
        studies.append(
            compare(control, variants, n_classes, resamples=resamples, alpha=alpha, margin=margin, seed=number)
        )
    truths = [true_effect(model, effect) for effect in model.effects]
    return _calibration(studies, truths, model.n_seeds, model.n_dialogues, alpha)


def calibrate_on_predictions(
    n_studies: int,
    cells: Sequence[CellPredictions],
    n_classes: int,
    *,
    n_seeds: int = 5,
    alpha: float = 0.05,
    resamples: int = 300,
    seed: int = 0,
) -> Calibration:
    """As `calibrate`, of studies without effect that are made from the predictions of a real one.

    Each study deals the cells at random into a control and variants, so that none is better than another, and tests
    them on dialogues drawn with replacement.

    Args:
        n_studies: At least 1.
        cells: All of one corpus, of any variants.
        n_classes: C.
        n_seeds: Cells of a variant.
        alpha: Level of the verdicts and intervals.
        resamples: Of each comparison.
        seed: Of everything drawn.
    """
    rng = np.random.default_rng(seed)
    dialogues = [np.flatnonzero(cells[0].dialogue == name) for name in np.unique(cells[0].dialogue)]
    studies: list[dict[str, Comparison]] = []
    for _ in range(n_studies):
        drawn = [dialogues[index] for index in rng.integers(len(dialogues), size=len(dialogues))]
        rows, ids = np.concatenate(drawn), np.repeat(np.arange(len(drawn)), [len(part) for part in drawn])
        dealt = [
            replace(
                cells[cell],
                seed=position % n_seeds,
                dialogue=ids,
                gold=cells[cell].gold[rows],
                predicted=cells[cell].predicted[rows],
            )
            for position, cell in enumerate(rng.permutation(len(cells)))
        ]
        control, *variants = [dealt[start : start + n_seeds] for start in range(0, len(dealt), n_seeds)]
        named = {f"variant {number}": variant for number, variant in enumerate(variants, start=1)}
        studies.append(compare(control, named, n_classes, resamples=resamples, alpha=alpha, seed=len(studies)))
    return _calibration(studies, [0.0] * len(studies[0]), n_seeds, len(dialogues), alpha)


def _calibration(
    studies: Sequence[dict[str, Comparison]], truths: Sequence[float], n_seeds: int, n_dialogues: int, alpha: float
) -> Calibration:
    """Count over studies whose variants have these true effects on weighted F1."""
    names = list(studies[0])
    null_names = [name for name, truth in zip(names, truths, strict=True) if truth == 0]
    return Calibration(
        n_studies=len(studies),
        family_wise_errors=sum(any(study[name].verdict != "inconclusive" for name in null_names) for study in studies),
        variants={
            name: _judge([study[name] for study in studies], truth, n_seeds, n_dialogues, alpha, alpha / len(names))
            for name, truth in zip(names, truths, strict=True)
        },
        false_equivalences=sum(
            any(_equivalent(study[name], alpha, truth) for name, truth in zip(names, truths, strict=True))
            for study in studies
        ),
    )


def _equivalent(comparison: Comparison, alpha: float, truth: float = math.inf) -> bool:
    """Whether the tests of equivalence reject, of a variant whose true effect is at least the margin."""
    found = comparison.equivalence
    return found is not None and found.p_value_holm < alpha and abs(truth) >= found.margin


def true_effect(model: StudyModel, effect: float) -> float:
    """Difference of weighted F1 that an effect on the score makes on endless dialogues."""
    return population_score(model, effect) - population_score(model, 0.0) if effect else 0.0


def population_score(model: StudyModel, effect: float) -> float:
    """Weighted F1 on endless dialogues, from the confusion matrix that the model implies.

    It leaves out the curvature of weighted F1 over seeds of different skill, which is far below the score's noise.
    """
    shares = np.array(model.class_counts) / sum(model.class_counts)
    spread = np.linalg.norm(
        [model.difficulty_sd, model.seed_sd, model.dialogue_sd, model.fold_sd, model.interaction_sd, 1]
    )
    right = stats.norm.cdf((model.skill + effect) / spread)
    distractor = np.tile(shares, (len(shares), 1))
    np.fill_diagonal(distractor, 0)
    distractor += np.roll(np.diag(shares), 1, axis=1)
    return float(weighted_f1(shares[:, None] * (right * np.eye(len(shares)) + (1 - right) * distractor)))


def _judge(
    comparisons: list[Comparison], truth: float, n_seeds: int, n_dialogues: int, alpha: float, level: float
) -> VariantCalibration:
    effect = CrossedMean(
        mean=truth,
        seed_variance=float(np.mean([comparison.seed_variance for comparison in comparisons])),
        dialogue_variance=float(np.mean([comparison.dialogue_variance for comparison in comparisons])),
        n_seeds=n_seeds,
        n_dialogues=n_dialogues,
    )
    return VariantCalibration(
        effect=effect,
        coverage=float(np.mean([comparison.ci_low <= truth <= comparison.ci_high for comparison in comparisons])),
        helps=float(np.mean([comparison.verdict == "helps" for comparison in comparisons])),
        hurts=float(np.mean([comparison.verdict == "hurts" for comparison in comparisons])),
        equivalent=float(np.mean([_equivalent(comparison, alpha) for comparison in comparisons])),
        promised_power=planned_power(effect, n_seeds, level),
    )
