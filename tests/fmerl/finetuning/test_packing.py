"""Passes without padding: the states of padded ones, for every encoder that allows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tiny_bert import save_tiny_bert

from fmerl.errors import InputError
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.inputs import TokenSequence
from fmerl.finetuning.model import TunedClassifier, longest_input, parameter_groups, prepare_encoder
from fmerl.finetuning.packing import PassMaker

_SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def save_roberta(folder: Path) -> None:
    from transformers import RobertaConfig, RobertaModel

    save_tiny_bert(folder, 64)  # for its tokenizer
    torch.manual_seed(0)
    RobertaModel(
        RobertaConfig(vocab_size=20, max_position_embeddings=66, pad_token_id=1, initializer_range=0.5, **_SIZES)
    ).save_pretrained(folder)


def save_deberta(folder: Path) -> None:
    from transformers import DebertaV2Config, DebertaV2Model

    save_tiny_bert(folder, 64)
    torch.manual_seed(0)
    DebertaV2Model(
        DebertaV2Config(vocab_size=20, relative_attention=True, pos_att_type=["p2c", "c2p"], **_SIZES)
    ).save_pretrained(folder)


def save_gpt2(folder: Path) -> None:
    from transformers import GPT2Config, GPT2Model

    save_tiny_bert(folder, 64)
    (folder / "model.safetensors").unlink()
    GPT2Model(GPT2Config(vocab_size=20, n_positions=64, n_embd=16, n_layer=2, n_head=2)).save_pretrained(folder)


def inputs(count: int = 12) -> list[TokenSequence]:
    """Of many lengths, read at one place or over several."""
    draw = np.random.default_rng(0)
    found = []
    for _ in range(count):
        length = int(draw.integers(2, 12))
        ids = draw.integers(5, 15, length).tolist()
        found.append(TokenSequence(ids, range(1, length) if draw.random() < 0.5 else range(1), True, False))
    return found


def vectors(model: torch.nn.Module, maker: PassMaker, sequences: list[TokenSequence]) -> torch.Tensor:
    """States of the inputs in their order."""
    with torch.no_grad():
        passes = [(batch.rows, batch.vectors(model)) for batch in maker.passes(sequences, range(len(sequences)))]
    rows, found = (torch.cat(parts) for parts in zip(*passes, strict=True))
    return found[rows.argsort()]


@pytest.mark.parametrize("save", [lambda folder: save_tiny_bert(folder, 64), save_roberta], ids=["bert", "roberta"])
def test_packed_states_are_those_of_each_input_alone(tmp_path: Path, save: Callable[[Path], None]) -> None:
    from transformers import AutoModel

    save(tmp_path)
    _, model, maker = prepare_encoder(TuningConfig(encoder=str(tmp_path)))
    assert maker.packed
    assert longest_input(prepare_encoder(TuningConfig(encoder=str(tmp_path)))[0], model) == 64
    plain = AutoModel.from_pretrained(tmp_path).eval()
    sequences = inputs()
    for tokens in (8, 30, 4096):
        found = vectors(model.eval(), replace(maker, tokens=tokens), sequences)
        for each, vector in zip(sequences, found, strict=True):
            with torch.no_grad():
                states = plain(input_ids=torch.tensor([each.ids])).last_hidden_state[0]
            expected = states[each.read.start : each.read.stop].mean(0)
            torch.testing.assert_close(vector, expected, atol=1e-5, rtol=1e-4)


def test_relative_positions_are_padded_and_right(tmp_path: Path) -> None:
    from transformers import AutoModel

    save_deberta(tmp_path)
    _, model, maker = prepare_encoder(TuningConfig(encoder=str(tmp_path)))
    assert not maker.packed
    plain = AutoModel.from_pretrained(tmp_path).eval()
    sequences = inputs()
    found = vectors(model.eval(), replace(maker, tokens=30), sequences)
    for each, vector in zip(sequences, found, strict=True):
        with torch.no_grad():
            states = plain(input_ids=torch.tensor([each.ids])).last_hidden_state[0]
        torch.testing.assert_close(vector, states[each.read.start : each.read.stop].mean(0), atol=1e-5, rtol=1e-4)


def test_a_decoder_is_refused(tmp_path: Path) -> None:
    save_gpt2(tmp_path)
    with pytest.raises(InputError, match="decoder"):
        prepare_encoder(TuningConfig(encoder=str(tmp_path)))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("tokens", [1, 8, 30, 1000])
def test_passes_keep_to_their_tokens_and_lose_no_row(packed: bool, tokens: int) -> None:
    sequences = inputs(40)
    maker = PassMaker(packed=packed, first_position=0, padding=0, tokens=tokens)
    rows = []
    for batch in maker.passes(sequences, range(40)):
        assert batch.ids.numel() <= tokens or len(batch.rows) == 1
        assert sum(count * length for count, length in batch.runs) == batch.ids.numel() or not packed
        rows += batch.rows.tolist()
    assert sorted(rows) == list(range(40))


def test_what_no_state_depends_on_is_frozen_and_rates_fall_with_depth(config: TuningConfig) -> None:
    _, encoder, _ = prepare_encoder(config)
    model = TunedClassifier(encoder, 3, 0.0)
    assert not any(parameter.requires_grad for parameter in encoder.pooler.parameters())
    peaks = {
        name: group["peak"]
        for group in parameter_groups(model, config)
        for name, parameter in model.named_parameters()
        if any(parameter is member for member in group["params"])
    }
    assert peaks["head.1.weight"] == 1e-2
    assert peaks["encoder.encoder.layer.1.output.dense.weight"] == pytest.approx(1e-3)
    assert peaks["encoder.encoder.layer.0.output.dense.weight"] == pytest.approx(0.9e-3)
    assert peaks["encoder.embeddings.word_embeddings.weight"] == pytest.approx(0.81e-3)
    for group in parameter_groups(model, config):
        assert all(group["weight_decay"] == (0.01 if member.ndim > 1 else 0) for member in group["params"])
