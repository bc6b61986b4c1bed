"""Speech encoders small enough for tests, drawn at random; their frames are those of the true ones, 20 ms apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors.torch import load_file, save_file

Family = Literal["wav2vec2", "wav2vec2-stable", "hubert", "wavlm", "whisper", "dimensional"]
FAMILIES: tuple[Family, ...] = get_args(Family)
WIDTH = 16
LAYERS = 2

_WAVES: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "initializer_range": 0.5,
}
_STABLE: dict[str, Any] = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}


def save_tiny_speech(folder: Path, family: Family) -> None:
    """A checkpoint of two layers and width 16 with its feature extractor."""
    import transformers as hf

    torch.manual_seed(0)
    if family == "whisper":
        hf.WhisperFeatureExtractor().save_pretrained(folder)
        sizes = {"layers": LAYERS, "attention_heads": 2, "ffn_dim": 32}
        both: dict[str, Any] = {
            f"{part}_{name}": size for part in ("encoder", "decoder") for name, size in sizes.items()
        }
        both |= {f"{name}_token_id": 0 for name in ("pad", "bos", "eos", "decoder_start")}
        config = hf.WhisperConfig(vocab_size=20, d_model=WIDTH, init_std=0.5, **both)
        hf.WhisperForConditionalGeneration(config).save_pretrained(folder)
        return
    stable = family in ("wav2vec2-stable", "dimensional")
    extractor = hf.Wav2Vec2FeatureExtractor(do_normalize=family != "wavlm", return_attention_mask=stable)
    extractor.save_pretrained(folder)
    if family == "hubert":
        hf.HubertModel(hf.HubertConfig(**_WAVES)).save_pretrained(folder)
    elif family == "wavlm":
        hf.WavLMModel(hf.WavLMConfig(**_WAVES)).save_pretrained(folder)
    else:
        network = hf.Wav2Vec2Model(hf.Wav2Vec2Config(**_WAVES, **(_STABLE if stable else {})))
        network.save_pretrained(folder)
    if family == "dimensional":
        _with_own_head(folder)


def _with_own_head(folder: Path) -> None:
    """Rename weights as a model class of its own with a head does, and as PyTorch before 2.0 named weight norm's."""
    weights = {f"wav2vec2.{name}": value for name, value in load_file(folder / "model.safetensors").items()}
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for new, old in names.items():
        (name,) = [name for name in weights if name.endswith(new)]
        weights[name.replace(new, old)] = weights.pop(name)
    weights |= {"classifier.dense.weight": torch.randn(WIDTH, WIDTH), "classifier.dense.bias": torch.randn(WIDTH)}
    weights |= {"classifier.out_proj.weight": torch.randn(3, WIDTH), "classifier.out_proj.bias": torch.randn(3)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
