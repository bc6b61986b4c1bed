#!/usr/bin/env bash
# transformers 5.24.0: of a batch of short sounds, CLAP's extractor marks one at random as longer than ten seconds.
#
# Guess: `is_longer` says which sounds exceed 10 s; of short ones it is False for each, and a vector depends on neither the
#        batch nor the call.
# Seen:  where no sound of a batch is longer, one is marked as longer, drawn from NumPy's global generator: of four sounds
#        another one from call to call, and a sound alone always. A fused model then reads it through its branch for long
#        sounds: two vectors of one sound, of the same features, had a cosine of -.64 (random weights).
# For a user: features of a corpus differ from run to run and with the batches. Set `is_longer` from the lengths, or use a
# checkpoint that is not fused with `truncation="rand_trunc"`, which marks none. No encoder here is a CLAP.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.24.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import numpy as np
import torch
from transformers import ClapAudioConfig, ClapAudioModelWithProjection, ClapFeatureExtractor, logging

logging.set_verbosity_error()
RATE, CALLS = 48_000, 20
SMALL = {
    "hidden_size": 32,
    "patch_embeds_hidden_size": 16,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "projection_dim": 8,
    "aff_block_r": 2,
}
torch.manual_seed(0)
# As in the released checkpoints whose names end in -fused.
network = ClapAudioModelWithProjection(ClapAudioConfig(enable_fusion=True, **SMALL)).eval()
random = np.random.default_rng(0)
short = [random.normal(0, 0.1, 3 * RATE).astype(np.float32) for _ in range(4)]
long = random.normal(0, 0.1, 12 * RATE).astype(np.float32)
extractor = ClapFeatureExtractor()


def extracted(sounds: list[np.ndarray], **options: str) -> dict[str, torch.Tensor]:
    return extractor(sounds, sampling_rate=RATE, return_tensors="pt", **options)


@torch.inference_mode()
def first(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The vector of the first sound, of length 1."""
    return torch.nn.functional.normalize(network(**inputs).audio_embeds, dim=1)[0]


np.random.seed(0)
calls = [extracted(short) for _ in range(CALLS)]
marked = [call["is_longer"].flatten().tolist() for call in calls]
print(f"four sounds of 3 s, {CALLS} calls: marked is number", [flags.index(True) for flags in marked])
alone, beside = extracted(short[:1])["is_longer"].tolist(), extracted([*short, long])["is_longer"].flatten().tolist()
print(f"one of them alone: {alone}; all four beside one of 12 s: {beside}")
plain = extracted(short, truncation="rand_trunc")["is_longer"].flatten().tolist()
print(f"truncation=rand_trunc: {plain}")
yes = next(call for call, flags in zip(calls, marked, strict=True) if flags[0])
no = next(call for call, flags in zip(calls, marked, strict=True) if not flags[0])
cosine = float(first(yes) @ first(no))
print(f"cosine of the first sound's two vectors: {cosine:.3f}")
assert all(sum(flags) == 1 for flags in marked) and len({flags.index(True) for flags in marked}) == 4
assert torch.equal(yes["input_features"], no["input_features"]), "the behaviour has changed"
assert cosine < 0.999, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
