#!/usr/bin/env bash
# torchmetrics 1.9.0 and audmetric 1.4.2 give the same values another concordance; of a constant it is 0, 1 or NaN.
#
# Guess: both compute Lin's coefficient, 2 cov / (var + var + (mean - mean)^2), with variances over n as in Lin (1989);
#        a constant prediction has concordance 0, as its covariance is 0, and two equal constants are NaN in both.
# Seen:  torchmetrics divides by n - 1: 1, 2, 3 against 2, 3, 4 gives .667, audmetric .571. The gap goes with 1 / n. A
#        constant prediction is 0 in audmetric. In torchmetrics it is NaN, or -4e-14 where float32 rounds its mean, both
#        beside the warning "Setting the correlation coefficient to nan". Two equal constants are NaN in audmetric if
#        they are 2, and a perfect 1 if they are .1, as the mean of three .1 is not .1.
# For a user who averages the measure over dialogues or speakers: short ones are too high by torchmetrics, and one
# constant turns the mean into NaN in one library and lowers it in the other. Name the library and the divisor in a
# paper.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6 torchmetrics==1.9.0 audmetric==1.4.2

cat > "$folder/probe.py" <<'PYTHON'
import math
import warnings

import torch
from audmetric import concordance_cc
from torchmetrics.functional import concordance_corrcoef

warnings.simplefilter("ignore")
CASES = {
    "shifted": ([1, 2, 3], [2, 3, 4]),
    "shifted, 30 values": (list(range(30)), [number + 10 for number in range(30)]),
    "constant 2 against 1, 2, 3": ([2, 2, 2], [1, 2, 3]),
    "constant .3 against .1 to .7": ([0.3] * 7, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
    "2 against 2": ([2, 2, 2], [2, 2, 2]),
    ".1 against .1": ([0.1, 0.1, 0.1], [0.1, 0.1, 0.1]),
    "2 against 3": ([2, 2, 2], [3, 3, 3]),
}
seen = {}
for name, (predicted, truth) in CASES.items():
    tensors = (torch.tensor(side, dtype=torch.float32) for side in (predicted, truth))
    seen[name] = (concordance_corrcoef(*tensors).item(), concordance_cc(truth, predicted))
    print(f"{name:30} torchmetrics {seen[name][0]:9.3g}  audmetric {seen[name][1]:6.3g}")


def alike(name: str, torchmetrics: float, audmetric: float) -> bool:
    pairs = zip(seen[name], (torchmetrics, audmetric), strict=True)
    return all(math.isnan(a) and math.isnan(b) or abs(a - b) < 5e-4 for a, b in pairs)


n, variance = 30, (30**2 - 1) / 12
unbiased = variance * n / (n - 1)
assert alike("shifted", 2 / 3, 4 / 7), "the behaviour has changed"
assert alike("shifted, 30 values", 2 * unbiased / (2 * unbiased + 100), 2 * variance / (2 * variance + 100))
assert alike("constant 2 against 1, 2, 3", math.nan, 0), "the behaviour has changed"
# Whether float32 rounds the mean of seven .3 is the processor's matter.
assert any(alike("constant .3 against .1 to .7", value, 0) for value in (0, math.nan)), "the behaviour has changed"
assert alike("2 against 2", math.nan, math.nan), "the behaviour has changed"
assert alike(".1 against .1", math.nan, 1), "the behaviour has changed"
assert alike("2 against 3", math.nan, 0), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
