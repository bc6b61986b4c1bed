"""All pairs of systems, and several corpora together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from simulated_studies import StudyModel, simulate_study
from sklearn.metrics import f1_score

from fmerl_platform.statistics import CellPredictions, compare, holm
from fmerl_platform.studies.ablation.pooling import CorpusPredictions, compare_pooled
from fmerl_platform.studies.ablation.ranking import rank_systems

Cells = list[CellPredictions]


def systems(effects: tuple[float, ...], seed: int = 7) -> dict[str, Cells]:
    control, variants = simulate_study(np.random.default_rng(seed), StudyModel(effects=effects, n_dialogues=60))
    return {"FMERL": control, **variants}


# Ranks


def test_ranks_and_pairs_are_those_of_the_scores() -> None:
    cells = systems((1.5, 0.0, -1.5))
    ranking = rank_systems(cells, 7, resamples=300)
    scores = np.array(
        [[f1_score(one.gold, one.predicted, average="weighted") for one in found] for found in cells.values()]
    )
    expected = dict(zip(cells, (-scores).argsort(axis=0).argsort(axis=0).mean(axis=1) + 1, strict=True))
    assert ranking.ranks == pytest.approx(expected)
    assert list(ranking.ranks) == sorted(expected, key=lambda name: expected[name])
    assert ranking.n_seeds == 5
    assert len(ranking.pairs) == 6
    raw = [pair.p_value for pair in ranking.pairs.values()]
    assert [pair.p_value_holm for pair in ranking.pairs.values()] == pytest.approx(holm(raw))
    for (one, other), pair in ranking.pairs.items():
        alone = compare(cells[other], {one: cells[one]}, 7, resamples=10)[one]
        assert pair.delta == pytest.approx(alone.delta)
    assert ranking.groups == (tuple(name for name in ranking.ranks if name in ("FMERL", "variant 2")),)
    assert ranking.undecided("FMERL", "variant 2")
    assert ranking.undecided("variant 2", "FMERL")


def test_systems_without_a_common_seed_are_ranked_by_their_means() -> None:
    cells = systems((1.5, -1.5))
    cells["variant 1"] = [replace(cell, seed=(cell.seed or 0) + 10) for cell in cells["variant 1"]]
    ranking = rank_systems(cells, 7, resamples=50)
    assert list(ranking.ranks.items()) == [("variant 1", 1), ("FMERL", 2), ("variant 2", 3)]
    assert math.isnan(ranking.pairs["variant 1", "FMERL"].p_value)


# Several corpora


def pooled_side(cells: dict[str, Cells]) -> CorpusPredictions:
    control, *names = cells
    return CorpusPredictions(control=cells[control], variants={name: cells[name] for name in names}, n_classes=7)


def test_one_corpus_pooled_is_the_comparison() -> None:
    cells = systems((0.6, 0.0))
    pooled = compare_pooled([pooled_side(cells)], resamples=200, margin=0.02)
    alone = compare(cells["FMERL"], pooled_side(cells).variants, 7, resamples=200, margin=0.02)
    for name, found in alone.items():
        assert replace(pooled[name], missing_in_control=(), missing_in_variant=()) == found


def test_corpora_weigh_the_same_and_their_variances_add_up() -> None:
    corpora = [systems((0.6, 0.0), seed=1), systems((0.3,), seed=2)]
    pooled = compare_pooled(list(map(pooled_side, corpora)), resamples=200)
    assert set(pooled) == {"variant 1"}, "the variant that both corpora have"
    alone = [compare(cells["FMERL"], {"v": cells["variant 1"]}, 7, resamples=200)["v"] for cells in corpora]
    found = pooled["variant 1"]
    assert found.delta == pytest.approx(np.mean([each.delta for each in alone]))
    assert found.seed_variance == pytest.approx(sum(each.seed_variance for each in alone) / 4)
    assert found.dialogue_variance == pytest.approx(sum(each.dialogue_variance for each in alone) / 4)


def test_folds_count_in_ranks_and_over_corpora() -> None:
    model = StudyModel(effects=(0.3, 0.0), n_dialogues=60, n_folds=5, fold_sd=1.0)
    control, variants = simulate_study(np.random.default_rng(3), model)
    cells = {"FMERL": control, **variants}
    alone = compare(control, variants, 7, resamples=200)
    pooled = compare_pooled([pooled_side(cells), pooled_side(cells)], resamples=200)
    plain = {name: [replace(cell, fold=None) for cell in found] for name, found in cells.items()}
    ranking, without = (rank_systems(each, 7, resamples=200) for each in (cells, plain))
    assert ranking.ranks == without.ranks
    for name in variants:
        assert pooled[name].dialogue_variance == pytest.approx(alone[name].dialogue_variance / 2)
        pair = ("FMERL", name) if ("FMERL", name) in ranking.pairs else (name, "FMERL")
        assert ranking.pairs[pair].p_value == pytest.approx(alone[name].p_value)
        assert ranking.pairs[pair].p_value > without.pairs[pair].p_value
