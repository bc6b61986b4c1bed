#!/usr/bin/env bash
# safetensors 0.8.0: the same tensors with the same metadata are another file each time.
#
# Guess: the format is canonical: tensors are sorted, so equal content gives equal bytes, and a digest of the file tells
#        whether weights have changed.
# Seen:  entries of `metadata` are written in the order of a hash table that is seeded anew for each call: ten saves in
#        one process give many digests for six entries, two for two, and one for one or none. Nothing but the header's
#        order differs.
# For a user who stores or caches weights by their digest: every save is a new file. Keep metadata to one entry, such as
# one JSON text, or take the digest of the tensors.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import hashlib

import numpy as np
from safetensors.numpy import load, save

TENSORS = {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(2, np.float32)}
digests = {}
for entries in (0, 1, 2, 6):
    metadata = {f"field {index}": str(index) for index in range(entries)}
    files = [save(TENSORS, metadata) for _ in range(50)]
    digests[entries] = len({hashlib.sha256(file).hexdigest() for file in files})
    print(f"{entries} entries of metadata: {digests[entries]} different files of 50, of {len({*map(len, files)})} size")
    for file in files:
        assert all((load(file)[name] == tensor).all() for name, tensor in TENSORS.items())
assert digests[0] == digests[1] == 1, "the behaviour has changed"
assert digests[2] == 2 and digests[6] > 10, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
