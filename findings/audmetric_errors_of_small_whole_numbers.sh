#!/usr/bin/env bash
# audmetric 1.4.2: errors of ratings in narrow or unsigned whole numbers overflow; a mean square may be negative.
#
# Guess: mean_absolute_error([1, 2, 3], [2, 3, 3]) is .67 whatever the dtype, as in scikit-learn and as with floats.
# Seen:  with unsigned dtypes 1 - 2 is 255 (uint8), so the error is 170; of uint64 it is 1e19. With int8 the square of
#        20 is -112, so mean_squared_error is negative. Nothing is raised. concordance_cc of the same arrays is right.
# For a user whose labels are whole ratings in narrow columns, as Parquet keeps them to save room: make them floats
# first. A wrong error need not look wrong: a uint8 difference of 20 squares to 144 in place of 400.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check audmetric==1.4.2 numpy==2.4.6 scikit-learn==1.9.1

cat > "$folder/probe.py" <<'PYTHON'
import audmetric
import numpy as np
from sklearn import metrics

NEAR = ([1, 2, 3], [2, 3, 3])
FAR = ([1, 2, 40], [1, 2, 60])
seen = {}
for dtype in ("float32", "int64", "int8", "uint8", "uint16", "uint64"):
    near, far = ([np.array(side, dtype) for side in pair] for pair in (NEAR, FAR))
    seen[dtype] = (audmetric.mean_absolute_error(*near), audmetric.mean_squared_error(*far))
    plain = (metrics.mean_absolute_error(*near), metrics.mean_squared_error(*far))
    ccc = audmetric.concordance_cc(*near)
    print(f"{dtype:8} MAE {seen[dtype][0]:9.4g} (scikit-learn {plain[0]:.3g})", end="  ")
    print(f"MSE {seen[dtype][1]:6.4g} (scikit-learn {plain[1]:.4g})  CCC {ccc:.3f}")
    assert np.allclose(plain, (2 / 3, 400 / 3)) and abs(ccc - 1 / 2) < 1e-6, "the behaviour has changed"
assert all(np.allclose(seen[dtype], (2 / 3, 400 / 3)) for dtype in ("float32", "int64")), "the behaviour has changed"
assert np.allclose(seen["uint8"], (170, 144 / 3)), "the behaviour has changed"
assert np.allclose(seen["int8"], (2 / 3, -112 / 3)), "the behaviour has changed"
assert seen["uint16"][0] > 4e4 and seen["uint64"][0] > 1e19, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
