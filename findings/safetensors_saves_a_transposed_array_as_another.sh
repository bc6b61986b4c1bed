#!/usr/bin/env bash
# safetensors 0.8.0: a transposed NumPy array is saved with its numbers in another order, without a word.
#
# Guess: `safetensors.numpy.save` copies an array that is not contiguous first, as `numpy.save` does, or refuses it, as
#        `safetensors.torch` does.
# Seen:  the shape is that of the transposed array and the bytes are those of the original: other numbers come back. The same
#        for every second column.
# For a user who stores features or weights turned for another library: a file that loads without an error and is wrong.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import numpy as np
from safetensors.numpy import load, save

table = np.arange(6, dtype=np.float32).reshape(2, 3)
given = {"as it is": table, "transposed": table.T, "every second column": table[:, ::2]}
back = load(save(given))
same = {}
for name, values in given.items():
    same[name] = np.array_equal(back[name], values)
    print(f"{name:<20}given {values.tolist()}, back {back[name].tolist()}")
copied = load(save({"copied": np.ascontiguousarray(table.T)}))["copied"]
assert same == {"as it is": True, "transposed": False, "every second column": False}, "the behaviour has changed"
assert back["transposed"].shape == table.T.shape, "the behaviour has changed"
assert np.array_equal(copied, table.T), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
