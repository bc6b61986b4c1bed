#!/usr/bin/env bash
# SciPy 1.17.1: a permutation test of paired differences depends on their unit where their sum is 0 but for rounding.
#
# Guess: differences in points (1, 2, -3 and five zeros) and in hundredths (.01, .02, -.03) have the same p-value, 1,
#        since no sign pattern has a sum nearer to 0.
# Seen:  p is 1 in points and .75 in hundredths. The mean is 2e-19 in the order given and exactly 0 in the order in
#        which signs are flipped; what is compared may differ by a share of the observed statistic, which is as good
#        as nothing here, so that half of the ties count as smaller.
# For a user: two systems whose scores tie over all seeds are told apart by p. Round the statistic.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import numpy as np
from scipy.stats import permutation_test

points = np.array([0, 0, 0, 0, 0, 1, 2, -3])


def rounded(signed, axis):
    return np.mean(signed, axis=axis).round(12)


def tested(differences, statistic=np.mean):
    return permutation_test((differences,), statistic, permutation_type="samples", n_resamples=np.inf)


found = {
    "points": tested(points),
    "hundredths": tested(points / 100),
    "hundredths, rounded": tested(points / 100, rounded),
}
for name, result in found.items():
    print(f"{name:20} mean {result.statistic:.1e}, p = {result.pvalue}")
assert [result.pvalue for result in found.values()] == [1.0, 0.75, 1.0], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
