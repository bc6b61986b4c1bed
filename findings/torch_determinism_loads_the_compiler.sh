#!/usr/bin/env bash
# torch 2.13.0: use_deterministic_algorithms(True) and making an optimiser load the compiler; the debug mode does not.
#
# Guess: the call sets a flag; torch._dynamo and torch._inductor are loaded by those who call torch.compile.
# Seen:  torch.use_deterministic_algorithms(True) imports some 800 modules, torch._dynamo among them, which take 70 MiB
#        and over a second (twice the room beside Triton and Transformers). So does the first optimiser, SGD and Adam
#        alike, and torch.utils.checkpoint.checkpoint. torch.set_deterministic_debug_mode("error") sets the same flag
#        and imports nothing. It leaves alone Inductor's own setting `deterministic`, which matters to torch.compile
#        only.
# For a user of many small workers that only predict: each pays for a compiler that it never calls.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import resource
import sys
import time

import torch


def now() -> tuple[int, float, float]:
    return len(sys.modules), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter()


def checkpointed() -> None:
    from torch.utils.checkpoint import checkpoint

    checkpoint(torch.sin, torch.ones(2, requires_grad=True), use_reentrant=False).sum().backward()


CALLS = {
    "manual_seed": lambda: torch.manual_seed(0),
    "backward": lambda: torch.ones(2, requires_grad=True).sum().backward(),
    "set_deterministic_debug_mode": lambda: torch.set_deterministic_debug_mode("error"),
    "use_deterministic_algorithms": lambda: torch.use_deterministic_algorithms(True),
    "SGD": lambda: torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], 0.1),
    "Adam": lambda: torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]),
    "checkpoint": checkpointed,
}
name = sys.argv[1]
before = now()
CALLS[name]()
modules, mib, seconds = (late - early for late, early in zip(now(), before, strict=True))
loaded = "torch._dynamo" in sys.modules
fixed = torch.are_deterministic_algorithms_enabled()
print(f"{name:30} {modules:5} modules {mib:5.0f} MiB {seconds:5.1f} s, compiler {loaded}, deterministic {fixed}")
light = ("manual_seed", "backward", "set_deterministic_debug_mode")
assert loaded == (name not in light) and (modules > 500) == loaded and (mib > 50) == loaded, "the behaviour has changed"
assert fixed == ("deterministic" in name), "the behaviour has changed"
PYTHON
for name in manual_seed backward set_deterministic_debug_mode use_deterministic_algorithms SGD Adam checkpoint; do
    "$folder/venv/bin/python" "$folder/probe.py" "$name"
done
