#!/usr/bin/env bash
# Transformers 5.23.0: Wav2Vec2FeatureExtractor without an attention mask normalises a sound together with its padding.
#
# Guess: `do_normalize` gives every sound zero mean and unit variance over its own samples; padding is put on afterwards
#        and is 0.
# Seen:  so it is with `return_attention_mask=True`. Without, as the base models of wav2vec 2.0 have it in their
#        configuration, padding counts as samples: one second beside a sound of four comes out twice as loud (deviation
#        2.0 in place of 1.0).
# For a user: features of an utterance depend on the longest one in its batch. Call the extractor for each sound by
# itself and pad the results with zeros.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import numpy as np
from transformers import Wav2Vec2FeatureExtractor

RATE = 16_000
draws = np.random.default_rng(0)
short, long = (draws.normal(0, 0.1, seconds * RATE).astype(np.float32) for seconds in (1, 4))
deviations = {}
for mask in (True, False):
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=mask)
    options = {"sampling_rate": RATE, "return_tensors": "np", "padding": True}
    alone = extractor([short], **options).input_values[0]
    beside = extractor([short, long], **options).input_values[0]
    deviations[mask] = alone.std(), beside[:RATE].std()
    print(f"with a mask: {mask}; deviation alone {alone.std():.3f}, beside a longer one {beside[:RATE].std():.3f}")
np.testing.assert_allclose(deviations[True], [1, 1], atol=1e-3)
np.testing.assert_allclose(deviations[False], [1, 2], atol=1e-2, err_msg="the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
