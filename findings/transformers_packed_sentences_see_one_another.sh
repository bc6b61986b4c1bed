#!/usr/bin/env bash
# transformers 5.23.0: sentences that DataCollatorWithFlattening packs see one another, in encoders and often in
# decoders.
#
# Guess: attention stops where position_ids begin anew, by eager and sdpa too; a model that cannot do so raises or
#        warns. The vectors of a packed sentence are then those that it has alone.
# Seen:  encoders (BERT, RoBERTa, ModernBERT) attend across sentences. So do decoders (Llama, Qwen3, GPT-2) when called
#        as they come: only with use_cache=False, which Trainer sets and a loop of one's own does not, do they give the
#        vectors of the sentence alone. OPT does not even then. Nothing warns.
# For a user who packs short utterances to save padding: features and losses depend on what shares a batch. Pad
# encoders, pass use_cache=False to decoders, and compare one packed sentence with itself alone.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-compile \
    torch==2.13.0 transformers==5.23.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import logging
import warnings

import torch
from transformers import AutoConfig, AutoModel, DataCollatorWithFlattening

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 32,
    "ffn_dim": 32,
    "vocab_size": 50,
    "initializer_range": 0.5,
    "init_std": 0.5,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cls_token_id": 1,
    "sep_token_id": 2,
}
OWN = {
    "opt": {"word_embed_proj_dim": 16},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2},
}
ENCODERS = ("bert", "roberta", "modernbert")
ISOLATING = ("llama", "qwen3", "gpt2")
OTHERS = ("opt",)
SENTENCES = ([5, 6, 7, 8], [9, 10, 11, 12, 13])


def apart(name: str, attention: str, use_cache: bool | None) -> float:
    """Largest difference of the second sentence's vectors, packed and alone."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(name, **(SIZES | OWN.get(name, {})))
    network = AutoModel.from_config(config, attn_implementation=attention).eval()
    options = {} if use_cache is None else {"use_cache": use_cache}
    collate = DataCollatorWithFlattening()
    with torch.inference_mode():

        def vectors(*sentences: list[int]) -> torch.Tensor:
            batch = collate([{"input_ids": sentence} for sentence in sentences])
            del batch["labels"]
            return network(**batch, **options).last_hidden_state[0]

        return (vectors(*SENTENCES)[-len(SENTENCES[1]) :] - vectors(SENTENCES[1])).abs().max().item()


logging.getLogger("transformers").setLevel(logging.ERROR)
warnings.simplefilter("ignore")
for name in (*ENCODERS, *ISOLATING, *OTHERS):
    for attention in ("eager", "sdpa"):
        seen = {"as it comes": apart(name, attention, None)}
        if name not in ENCODERS:
            seen["use_cache=False"] = apart(name, attention, False)
        print(f"{name:11} {attention:6}", ", ".join(f"{said}: apart {by:.2g}" for said, by in seen.items()))
        assert seen["as it comes"] > 0.1, "the behaviour has changed"
        if name not in ENCODERS:
            assert (seen["use_cache=False"] < 1e-4) == (name in ISOLATING), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
