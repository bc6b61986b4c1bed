"""CoMPM: its memory by a loop over turns, and what each variant changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fmerl.corpus import Corpus
from fmerl.finetuning.cell import finetune
from fmerl.finetuning.compm import CoMPM, ConversationPass
from fmerl.finetuning.config import CoMPMConfig, TuningConfig
from fmerl.finetuning.data import TuningData, tuning_data
from fmerl.finetuning.model import prepare_encoder
from fmerl.finetuning.packing import PassMaker


def system(config: TuningConfig, corpus: Corpus, **values: Any) -> tuple[Any, TuningData, PassMaker]:
    config = replace(config, system="compm", input="tags", pooling="cls", compm=CoMPMConfig(**values))
    tokenizer, encoder, maker = prepare_encoder(config)
    data = tuning_data(corpus, config, tokenizer, 64)
    torch.manual_seed(1)
    return CoMPM.create(encoder, config, data).eval(), data, maker


def slow_state(model: CoMPM, contexts: Any, memories: Any, data: TuningData, row: int) -> Tensor:
    """State of one utterance: every turn by itself through plain encoders, the GRU's equations turn by turn."""

    def cls(encoder: Any, ids: list[int]) -> Tensor:
        state: Tensor = encoder(input_ids=torch.tensor([ids])).last_hidden_state[0, 0]
        return state

    own = data.utterances[row]
    earlier = [
        data.alone[other].ids
        for other, each in enumerate(data.utterances)
        if (each.dialogue_id, each.speaker) == (own.dialogue_id, own.speaker) and each.turn < own.turn
    ]
    layers = [torch.zeros(16), torch.zeros(16)]
    for ids in earlier:
        given = cls(memories, ids)
        for layer, before in enumerate(layers):
            weights = (
                getattr(model.gru, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            w_in, w_hidden, b_in, b_hidden = weights
            r_in, z_in, n_in = (w_in @ given + b_in).chunk(3)
            r_hidden, z_hidden, n_hidden = (w_hidden @ before + b_hidden).chunk(3)
            reset, keep = torch.sigmoid(r_in + r_hidden), torch.sigmoid(z_in + z_hidden)
            layers[layer] = given = (1 - keep) * torch.tanh(n_in + reset * n_hidden) + keep * before
    found = model.projection(layers[1])
    return found if contexts is None else found + cls(contexts, data.sequences[row].ids)


@pytest.mark.parametrize("values", [{}, {"projection": False}, {"context": False}, {"memory": "scratch"}])
def test_states_are_context_and_projected_memory(config: TuningConfig, corpus: Corpus, values: dict[str, Any]) -> None:
    from transformers import AutoModel

    model, data, maker = system(config, corpus, **values)
    contexts = AutoModel.from_pretrained(config.encoder).eval()
    memories = AutoModel.from_pretrained(config.encoder).eval()
    if values.get("memory") == "scratch":
        memories.load_state_dict(model.memory.state_dict())
    rows = data.rows("train")[:40].tolist()
    assert any(len(data.own_earlier[row]) > 2 for row in rows)
    assert any(not data.own_earlier[row] for row in rows)
    with torch.no_grad():
        for batch in model.passes(maker, data, rows):
            found = model(batch)
            for row, state, logits in zip(batch.rows.tolist(), found.states[:, 0], found.logits, strict=True):
                expected = slow_state(model, contexts if model._settings.context else None, memories, data, row)
                torch.testing.assert_close(state, expected, atol=1e-4, rtol=1e-4)
                torch.testing.assert_close(logits, model.head(expected), atol=1e-4, rtol=1e-4)


def test_the_context_bounds_the_memory(config: TuningConfig, corpus: Corpus) -> None:
    _, data, _ = system(replace(config, context_turns=2), corpus)
    for row, own in enumerate(data.own_earlier):
        assert all(data.utterances[row].turn - data.utterances[other].turn <= 2 for other in own)
        assert len({data.utterances[other].dialogue_id for other in (row, *own)}) == 1


def test_passes_count_the_memory(config: TuningConfig, corpus: Corpus) -> None:
    model, data, maker = system(config, corpus)
    for batch in model.passes(replace(maker, tokens=150), data, data.rows("train").tolist()):
        assert isinstance(batch, ConversationPass)
        assert batch.memory is not None
        assert batch.context.ids.numel() + batch.memory.turns.ids.numel() <= 150 or len(batch.rows) == 1


def test_a_pass_without_memory_gives_its_weights_a_gradient_of_zero(config: TuningConfig, corpus: Corpus) -> None:
    """So that ranks with and without memory average the same gradients."""
    model, data, maker = system(config, corpus)
    (batch,) = model.passes(maker, data, [next(row for row, own in enumerate(data.own_earlier) if not own)])
    output = model(batch)
    torch.testing.assert_close(output.states[:, 0], batch.context.vectors(model.encoder))
    output.logits.sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            own = name.startswith(("memory.", "gru.", "projection."))
            assert bool(parameter.grad.any()) != own or not own


def names_of(model: nn.Module) -> set[str]:
    return {name.partition(".")[0] for name, _ in model.named_parameters()}


def test_each_variant_changes_its_part_alone(config: TuningConfig, corpus: Corpus) -> None:
    paper = names_of(system(config, corpus)[0])
    assert paper == {"encoder", "memory", "gru", "projection", "head"}
    assert names_of(system(config, corpus, memory="none")[0]) == {"encoder", "head"}
    assert names_of(system(config, corpus, context=False)[0]) == paper - {"memory"}
    assert names_of(system(config, corpus, projection=False)[0]) == paper - {"projection"}
    tuned, frozen, scratch = (system(config, corpus, memory=kind)[0] for kind in ("tuned", "frozen", "scratch"))
    assert names_of(tuned) == names_of(frozen) == names_of(scratch)
    for model, same in ((tuned, True), (frozen, True), (scratch, False)):
        one, two = model.encoder.state_dict(), model.memory.state_dict()
        assert all(torch.equal(one[name], two[name]) for name in one) == same
    assert not any(parameter.requires_grad for parameter in frozen.memory.parameters())
    assert any(parameter.requires_grad for parameter in frozen.encoder.parameters())
    assert not frozen.train().memory.training
    assert frozen.train().encoder.training


def test_a_frozen_memory_stays_and_a_tuned_one_moves(config: TuningConfig, corpus: Corpus) -> None:
    before = system(config, corpus)[0].encoder.state_dict()
    for kind in ("frozen", "tuned"):
        changed = replace(config, system="compm", input="tags", epochs=1, compm=CoMPMConfig(memory=kind))
        after: Any = finetune(corpus, changed, 0).system
        same = all(torch.equal(weight, before[name]) for name, weight in after.memory.state_dict().items())
        assert same == (kind == "frozen")
        assert not all(torch.equal(weight, before[name]) for name, weight in after.encoder.state_dict().items())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"memory": "none", "context": False}, "nothing to read"),
        ({"memory": "shared"}, "memory"),
        ({"gru_layers": 0}, "gru_layers"),
        ({"gru_dropout": 1.0}, "gru_dropout"),
    ],
)
def test_settings_out_of_their_range_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CoMPMConfig(**values)
