#!/usr/bin/env bash
# transformers 5.23.0: hidden_states[-1] of large speech encoders lacks the last normalisation, which it had in 4.57.1.
#
# Guess: hidden_states[-1] is last_hidden_state, as in version 4 and as in wav2vec 2.0 of the base form.
# Seen:  with do_stable_layer_norm, as wav2vec 2.0, HuBERT and WavLM have it in their large forms, hidden_states[-1] is what
#        the last layer puts out. Its layer normalisation gives last_hidden_state. In 4.57.1 both were equal, bit for bit.
# For a user who takes features or a weighted sum of layers from hidden_states: the same code and weights give other vectors.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.23.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --target "$folder/older" transformers==4.57.1

cat > "$folder/probe.py" <<'PYTHON'
import sys

import torch
import transformers

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "initializer_range": 0.5,
}
LARGE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
equal = {}
for family in ("Wav2Vec2", "Hubert", "WavLM"):
    for form, options in (("base", {}), ("large", LARGE)):
        torch.manual_seed(0)
        config = getattr(transformers, f"{family}Config")(**SIZES, **options)
        network = getattr(transformers, f"{family}Model")(config).eval()
        with torch.inference_mode():
            output = network(torch.randn(1, 8_000), output_hidden_states=True)
            last = output.hidden_states[-1]
            normalised = network.encoder.layer_norm(last)
        equal[family, form] = torch.equal(last, output.last_hidden_state)
        apart = (last - output.last_hidden_state).abs().max().item()
        rest = (normalised - output.last_hidden_state).abs().max().item() if form == "large" else float("nan")
        print(f"{transformers.__version__:8} {family:9} {form:6} apart {apart:8.3g}, once normalised {rest:8.3g}")
expected = {key: sys.argv[1] == "older" or key[1] == "base" for key in equal}
assert equal == expected, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" newer
PYTHONPATH="$folder/older" "$folder/venv/bin/python" "$folder/probe.py" older
