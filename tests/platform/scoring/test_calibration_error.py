"""Calibration error against its slow definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fmerl_platform.scoring.calibration import calibration_bins, expected_calibration_error


@given(arrays(float, 30, elements=st.floats(0, 1)), arrays(bool, 30), st.integers(1, 20))
def test_calibration_error_is_the_slow_sum_over_bins(confidence: np.ndarray, right: np.ndarray, bins: int) -> None:
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [
            (value, hit)
            for value, hit in zip(confidence, right, strict=True)
            if math.ceil(value * bins) == number + 1 or (number == 0 and value == 0)
        ]
        if inside:
            assert low - 1e-9 <= min(value for value, _ in inside)
            assert max(value for value, _ in inside) <= high + 1e-9
            total += abs(sum(value for value, _ in inside) - sum(hit for _, hit in inside)) / 30
    assert expected_calibration_error(confidence, right, bins) == pytest.approx(total, abs=1e-9)
    assert sum(each.n for each in calibration_bins(confidence, right, bins)) == 30
