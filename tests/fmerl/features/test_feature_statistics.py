"""Statistics fitted piece by piece: those of all rows at once, and the model's own rule of what is constant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fmerl.features.statistics import STATISTICS, StatisticsFit, write_statistics
from fmerl.model.layers import Standardizer

TABLES = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.floats(-1e6, 1e6, width=32),
)


@given(TABLES, st.lists(st.integers(0, 12), max_size=4))
def test_pieces_do_not_matter(values: np.ndarray, cuts: list[int]) -> None:
    fit = StatisticsFit(values.shape[1])
    for piece in np.split(values, sorted(cuts)):
        fit.add(piece)
    found = fit.statistics()
    assert found.rows == len(values)
    np.testing.assert_allclose(found.mean, values.astype(np.float64).mean(axis=0), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(found.deviation, values.astype(np.float64).std(axis=0), rtol=1e-6, atol=1e-6)


def test_large_means_do_not_drown_small_deviations() -> None:
    values = (1e4 + np.random.default_rng(0).normal(size=(1000, 2)) * 1e-1).astype(np.float32)
    fit = StatisticsFit(2)
    for piece in np.split(values, 50):
        fit.add(piece)
    np.testing.assert_allclose(fit.statistics().deviation, values.astype(np.float64).std(axis=0), rtol=1e-9)


def test_constants_are_the_models(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    values[:, 1], values[:, 2] = 0.1, 0.0
    fit, model = StatisticsFit(4), Standardizer(4)
    fit.add(values[:20])
    fit.add(values[20:])
    model.fit(torch.from_numpy(values))
    found = fit.statistics(["a", "b", "c", "d"])
    assert found.constant.tolist() == (model.scale == 0).tolist() == [False, True, True, False]
    told = write_statistics(tmp_path, found)
    stored = pq.read_table(tmp_path / STATISTICS)
    assert (told["rows"], stored["column"].to_pylist()) == (50, ["a", "b", "c", "d"])
    np.testing.assert_array_equal(stored["mean"], found.mean)
    np.testing.assert_array_equal(stored["deviation"], found.deviation)
    np.testing.assert_array_equal(stored["constant"], found.constant)


def test_no_rows() -> None:
    assert StatisticsFit(3).statistics().deviation.tolist() == [0, 0, 0]
