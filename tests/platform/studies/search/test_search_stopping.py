"""Rules that end a search or a trial."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl_platform.studies.search.plan import Search
from fmerl_platform.studies.search.stopping import FEWEST_SEEDS, NoImprovement, WorseThanBest


def test_the_search_ends_after_so_many_trials_without_a_new_best() -> None:
    rule = NoImprovement(3, [[0.2], [0.5], [0.4]])
    assert not rule.reached
    for objectives, reached in (([0.5], False), ([], True), ([0.6], False), ([], False), ([0.1], False), ([0.6], True)):
        rule.add(objectives)
        assert rule.reached is reached, objectives
    assert not NoImprovement(None, [[0.5], *[[0.1]] * 1000]).reached


def test_of_two_objectives_every_trial_on_the_front_is_a_new_best() -> None:
    rule = NoImprovement(1, [[0.5, 0.5]])
    for objectives, reached in (
        ([0.6, 0.1], False),
        ([0.1, 0.6], False),
        ([0.1, 0.6], True),
        ([0.6, 0.4], False),
        ([0.6, 0.3], True),
    ):
        rule.add(objectives)
        assert rule.reached is reached, objectives


def means(scores: Sequence[float]) -> dict[int, float]:
    """Reports of a trial whose seeds have these scores."""
    totals = itertools.accumulate(scores)
    return {count: total / count for count, total in enumerate(totals, start=1)}


BEST = [0.52, 0.48, 0.55, 0.50, 0.51, 0.49]


@pytest.mark.parametrize(
    ("scores", "ended_after"),
    [
        ([0.41, 0.40, 0.43, 0.39, 0.40, 0.41], 4),
        ([0.53, 0.49, 0.56, 0.51, 0.52, 0.50], None),
        ([0.41, 0.55, 0.43, 0.57, 0.40, 0.55], None),
        (BEST, None),
    ],
    ids=["worse on every seed", "better on every seed", "worse on some", "the same"],
)
def test_a_trial_ends_once_it_is_worse_than_the_best(scores: list[float], ended_after: int | None) -> None:
    rule = WorseThanBest([means([0.3] * 6), means(BEST)])
    ended = [count for count in range(1, 6) if rule.reached(means(scores[:count]))]
    assert (ended[0] if ended else None) == ended_after


def test_without_a_trial_to_compare_with_none_ends() -> None:
    assert not WorseThanBest().reached(means([0.1] * 5))


def test_the_fewest_seeds_are_the_fewest_that_can_end_a_trial() -> None:
    rule = WorseThanBest([means(BEST)])
    worst = [score - 0.1 * number for number, score in enumerate(BEST, start=1)]
    assert not rule.reached(means(worst[: FEWEST_SEEDS - 2]))
    assert rule.reached(means(worst[: FEWEST_SEEDS - 1]))
    with pytest.raises(InputError, match=r"--pruning wilcoxon.*give at least 5 --search-seeds"):
        Search(pruning="wilcoxon", seeds=(0, 1, 2, 3))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.integers(0, 100), min_size=7, max_size=7), min_size=2, max_size=5))
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning", "ignore:.*WilcoxonPruner")
def test_trials_end_where_optuna_ends_those_that_report_each_seed(trials: list[list[int]]) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.WilcoxonPruner(p_threshold=0.1))
    rule = WorseThanBest()
    for number, scores in enumerate(np.array(trials) / 100):
        trial = study.ask()
        for seed, score in enumerate(scores, start=1):
            trial.report(float(score), seed)
            if seed < len(scores):
                assert rule.reached(means(scores[:seed])) == trial.should_prune(), (number, seed)
        study.tell(trial, float(scores.mean()))
        rule.add(means(scores))
