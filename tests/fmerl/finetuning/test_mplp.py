"""MPLP: its texts word by word, prompts and losses by loops and by Transformers' own, and what no prompt may know."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.spoken import spoken_corpus
from torch import Tensor

from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.finetuning.config import MPLPConfig, TuningConfig
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.mplp.inputs import PromptedTexts
from fmerl.finetuning.mplp.model import MPLP, PromptedPass
from fmerl.finetuning.mplp.paraphrases import GLOSSES, paraphrases_of, read_paraphrases
from fmerl.finetuning.mplp.prompts import ExperiencePrompt, HistoryPrompt, nearest
from fmerl.finetuning.mplp.stages import ChunkTuner, prepare_mplp, tune_mplp
from fmerl.finetuning.packing import PassMaker
from fmerl.finetuning.result import TunedResult
from fmerl.training.distributed import ALONE


@pytest.fixture(scope="module")
def few() -> Corpus:
    return spoken_corpus(train=8, others=3)


@pytest.fixture(scope="module")
def mplp(config: TuningConfig, bart: str) -> TuningConfig:
    """One epoch of each stage, without dropout."""
    own = MPLPConfig(first_epochs=1, lstm_dropout=0.0)
    return replace(
        config, system="mplp", input="prompt", encoder=bart, layer_decay=1.0, epochs=1, context_turns=2, mplp=own
    )


def system(config: TuningConfig, corpus: Corpus, **values: Any) -> tuple[MPLP, TuningData, PassMaker, PromptedTexts]:
    """A model in evaluation mode in its second stage, with drawn states."""
    config = replace(config, mplp=replace(config.mplp, **values))
    tokenizer, model, data, maker = prepare_mplp(corpus, config, 1)
    model.remember(torch.randn(model.states.shape, generator=torch.Generator().manual_seed(3)))
    model.begin_stage(2)
    start = model.encoder.config.decoder_start_token_id
    return model.eval(), data, maker, PromptedTexts(tokenizer, start, 64, config, data.utterances, data.classes)


def row_with(data: TuningData, turn: int) -> int:
    return next(row for row, each in enumerate(data.utterances) if each.turn == turn and each.split == "train")


def test_texts_are_those_of_the_paper(mplp: TuningConfig, few: Corpus) -> None:
    tokenizer, _, data, _ = prepare_mplp(few, mplp)
    texts = PromptedTexts(tokenizer, 3, 64, mplp, data.utterances, data.classes)
    row = row_with(data, 3)
    two, one, own = data.utterances[row - 2 : row + 1]
    said = f"{two.speaker} : {two.text} {one.speaker} : {one.text} * {own.speaker} : {own.text} *"

    def words(ids: list[int]) -> str:
        return " ".join(tokenizer.convert_ids_to_tokens(ids))

    assert words(texts.first_stage[row].ids) == f"[CLS] {said} [SEP]"
    before = f"{own.speaker} may feel [MASK] , {own.speaker} may feel [MASK] [SEP]"
    assert words(texts.second_stage[row].ids) == f"[CLS] {before} {said} [SEP]"
    assert [texts.second_stage[row].ids[place] for place in texts.places[row]] == [tokenizer.mask_token_id] * 2
    assert words(texts.questions[row]) == f"[SEP] [CLS] {own.speaker} feels"
    joy = words(texts.paraphrase(row, data.classes.index("joy"))).split()
    assert joy[:6] == ["[CLS]", own.speaker, "is", "joy", ",", "[UNK]"]
    assert (joy[-1], len(joy)) == ("[SEP]", 6 + len(GLOSSES["joy"].split()))


def test_oldest_turns_are_left_out_then_the_utterance_is_cut(mplp: TuningConfig, few: Corpus) -> None:
    tokenizer, _, data, _ = prepare_mplp(few, mplp)
    row = row_with(data, 3)
    *past, own = (len(each.text.split()) + 2 for each in data.utterances[row - 2 : row + 1])
    kinds = set()
    for length in range(5, 51):
        texts = PromptedTexts(tokenizer, 3, 64, replace(mplp, max_length=length), data.utterances, data.classes)
        cut, turns = own > length - 4, 0
        expected = 4 + min(own, length - 4)
        for size in reversed(past):
            if expected + size > length:
                break
            expected, turns = expected + size, turns + 1
        for sequence, more in ((texts.first_stage[row], 0), (texts.second_stage[row], 10)):
            assert (len(sequence.ids), sequence.cut) == (expected + more, cut)
            assert tokenizer.convert_ids_to_tokens(sequence.ids[-2:]) == ["*", "[SEP]"]
        kinds.add((cut, turns))
    assert kinds == {(True, 0), (False, 0), (False, 1), (False, 2)}


def slow_history(prompt: HistoryPrompt, state: Tensor, turns: list[tuple[Tensor, bool]]) -> Tensor:
    """The prompt by loops over turns; the LSTM sees one sequence."""
    if not turns:
        return state
    given = torch.stack([(prompt.own if own else prompt.others).weight @ other for other, own in turns])
    values = prompt.lstm(given.unsqueeze(0))[0][0]
    logits = [float(prompt.score.weight[0] @ torch.cat([state, other]) + prompt.score.bias) for other, _ in turns]
    total = sum(map(math.exp, logits))
    return state + torch.stack(
        [math.exp(logit) / total * value for logit, value in zip(logits, values, strict=True)]
    ).sum(0)


def slow_experience(prompt: ExperiencePrompt, state: Tensor, near: Tensor) -> Tensor:
    logits = [float(prompt.score.weight[0] @ (state * other) + prompt.score.bias) for other in near]
    total = sum(map(math.exp, logits))
    return state + torch.stack(
        [math.exp(logit) / total * other for logit, other in zip(logits, near, strict=True)]
    ).sum(0)


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ({}, lambda turns: turns),
        ({"history_turns": 2}, lambda turns: turns[-2:]),
        ({"history_turns": 2, "history": "first"}, lambda turns: turns[:2]),
    ],
)
def test_prompts_are_those_of_their_formulas(
    mplp: TuningConfig, few: Corpus, values: dict[str, Any], chosen: Callable[[list[int]], list[int]]
) -> None:
    model, data, _, _ = system(mplp, few, **values)
    rows = torch.arange(len(data.utterances))
    with torch.no_grad():
        experience, history = model.prompted(rows)
        for row, own in enumerate(data.utterances):
            earlier = chosen(
                [other for other, each in enumerate(data.utterances[:row]) if each.dialogue_id == own.dialogue_id]
            )
            turns = [(model.states[other], data.utterances[other].speaker == own.speaker) for other in earlier]
            expected = slow_history(model.prompts["history"], model.states[row], turns)  # type: ignore[arg-type]
            torch.testing.assert_close(history[row], expected, atol=1e-5, rtol=1e-4)
            near = model.states[model.neighbours[row]]
            expected = slow_experience(model.prompts["experience"], model.states[row], near)  # type: ignore[arg-type]
            torch.testing.assert_close(experience[row], expected, atol=1e-5, rtol=1e-4)


def test_unmasked_padding_counts_as_turns_of_zeros(mplp: TuningConfig, few: Corpus) -> None:
    """As in the released code: also where there is no earlier turn."""
    model, data, _, _ = system(mplp, few, masked=False, history_turns=7)
    with torch.no_grad():
        history = model.prompted(torch.arange(len(data.utterances)))[1]
        for row in (row_with(data, 0), row_with(data, 2)):
            turns = [
                (model.states[other], data.utterances[other].speaker == data.utterances[row].speaker)
                for other in range(row - data.utterances[row].turn, row)
            ]
            turns += [(torch.zeros(16), False)] * (7 - len(turns))
            expected = slow_history(model.prompts["history"], model.states[row], turns)  # type: ignore[arg-type]
            torch.testing.assert_close(history[row], expected, atol=1e-5, rtol=1e-4)


def test_neighbours_are_the_nearest_of_train_without_itself(mplp: TuningConfig, few: Corpus) -> None:
    model, data, _, _ = system(mplp, few)
    train = data.rows("train").tolist()
    for row, found in enumerate(model.neighbours.tolist()):
        cosines = {
            other: float(torch.cosine_similarity(model.states[row], model.states[other], dim=0))
            for other in train
            if other != row
        }
        assert found == sorted(cosines, key=lambda other: -cosines[other])[:3]
    itself = system(mplp, few, exclude_itself=False)[0].neighbours
    assert itself[train, 0].tolist() == train


def test_neighbours_are_found_in_any_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    states = torch.randn(20, 4)
    whole = nearest(states, np.arange(10), 3, True)
    monkeypatch.setattr("fmerl.finetuning.mplp.prompts._ROWS", 3)
    assert torch.equal(nearest(states, np.arange(10), 3, True), whole)


def slow_outputs(
    model: MPLP, texts: PromptedTexts, row: int, label: int, prompts: list[Tensor]
) -> tuple[Tensor, float]:
    """Logits and the paraphrase's loss of one utterance, by Transformers' model for generation."""
    from transformers import BartForConditionalGeneration

    whole = BartForConditionalGeneration(model.encoder.config).eval()
    whole.model.load_state_dict(model.encoder.state_dict())
    ids = torch.tensor([(texts.second_stage if prompts else texts.first_stage)[row].ids])
    embedded = whole.model.shared(ids)
    for place, prompt in zip(texts.places[row], prompts, strict=False):
        embedded[0, place] = prompt
    question = [*texts.questions[row][1:], 4]  # with the mask, shifted right by the model
    output = whole(inputs_embeds=embedded, labels=torch.tensor([question]), output_hidden_states=True)
    state = output.decoder_hidden_states[-1][0, question.index(4)]
    hidden, _, gelu, out = model.head
    said = whole(inputs_embeds=embedded, labels=torch.tensor([texts.paraphrase(row, label)]))
    return out(gelu(hidden(state))), float(said.loss)


def test_outputs_and_losses_are_those_of_transformers(mplp: TuningConfig, few: Corpus) -> None:
    model, data, maker, texts = system(mplp, few)
    rows = data.train_rows()[:6].tolist()
    model.train()  # nothing drops out
    (batch,) = model.passes(replace(maker, tokens=10_000), data, rows)
    assert batch.paraphrase is not None
    label = torch.from_numpy(data.learned[batch.rows])
    with torch.no_grad():
        output = model(batch)
        prompts = model.prompted(batch.rows)
        total = 0.0
        for place, row in enumerate(batch.rows.tolist()):
            logits, said = slow_outputs(model, texts, row, int(label[place]), [prompt[place] for prompt in prompts])
            torch.testing.assert_close(output.logits[place], logits, atol=1e-4, rtol=1e-4)
            assert float(output.generation[place]) == pytest.approx(said, abs=1e-4)
            total += -float(logits.log_softmax(0)[label[place]]) + 0.3 * said
        assert float(model.loss(output, label)) == pytest.approx(total, abs=1e-3)
        model.begin_stage(1)
        (batch,) = model.passes(replace(maker, tokens=10_000), data, rows)
        assert batch.paraphrase is None
        output = model(batch)
        for place, row in enumerate(batch.rows.tolist()):
            torch.testing.assert_close(
                output.logits[place], slow_outputs(model, texts, row, 0, [])[0], atol=1e-4, rtol=1e-4
            )


def test_passes_count_the_decoders_tokens(mplp: TuningConfig, few: Corpus) -> None:
    model, data, maker, _ = system(mplp, few)
    for batch in model.train().passes(replace(maker, tokens=150), data, data.train_rows().tolist()):
        assert isinstance(batch, PromptedPass)
        assert batch.paraphrase is not None
        size = batch.text.ids.numel() + int((batch.asked + 1).sum()) + int((batch.paraphrase >= 0).sum())
        assert size <= 150 or len(batch.rows) == 1


def test_no_text_to_say_is_made_outside_training(mplp: TuningConfig, few: Corpus) -> None:
    model, data, maker, _ = system(mplp, few)
    for rows in (data.rows("test"), data.train_rows()):
        assert all(batch.paraphrase is None for batch in model.passes(maker, data, rows.tolist()))
    silent, _, _, _ = system(mplp, few, generation_weight=0.0)
    assert all(batch.paraphrase is None for batch in silent.train().passes(maker, data, data.train_rows().tolist()))


@pytest.mark.parametrize(
    ("values", "frozen"),
    [({}, set()), ({"history": "none"}, {"history"}), ({"neighbours": 0}, {"experience"})],
)
def test_every_weight_of_a_stage_has_a_gradient(
    mplp: TuningConfig, few: Corpus, values: dict[str, Any], frozen: set[str]
) -> None:
    """Also in a pass without any earlier turn, so that ranks average the same gradients."""
    model, data, maker, _ = system(mplp, few, **values)
    assert set(model.prompts) == {"experience", "history"} - frozen
    for stage in (1, 2):
        model.begin_stage(stage)
        (batch,) = model.train().passes(maker, data, [row_with(data, 0)])
        model.zero_grad()
        model.loss(model(batch), torch.zeros(1, dtype=torch.int64)).backward()
        for name, parameter in model.named_parameters():
            assert (parameter.grad is not None) == (stage == 2 or not name.startswith("prompts.")), name


@pytest.fixture(scope="module")
def tuned(mplp: TuningConfig, few: Corpus) -> TunedResult:
    return tune_mplp(few, replace(mplp, epochs=2), 0)


def test_the_second_stage_starts_from_the_states_of_the_first(
    mplp: TuningConfig, few: Corpus, tuned: TunedResult
) -> None:
    first: Any = tune_mplp(few, replace(mplp, mplp=replace(mplp.mplp, stages="first")), 0)
    model, (_, _, data, maker) = first.system, prepare_mplp(few, mplp)
    found: dict[int, Tensor] = {}
    with torch.no_grad():
        for batch in model.passes(maker, data, range(len(data.utterances))):
            found |= dict(zip(batch.rows.tolist(), model(batch).states[:, 0], strict=True))
    both: Any = tuned.system
    torch.testing.assert_close(both.states, torch.stack([found[row] for row in range(len(found))]))
    assert not torch.equal(both.encoder.shared.weight, model.encoder.shared.weight)
    assert first.metrics["selected_epoch"] == 1
    assert tuned.metrics["selected_epoch"] in (2, 3)


def test_epochs_of_both_stages_are_told(mplp: TuningConfig, few: Corpus) -> None:
    epochs: list[int] = []
    config = replace(mplp, epochs=2, mplp=replace(mplp.mplp, first_epochs=2))
    tune_mplp(few, config, 0, on_epoch=lambda epoch, _: epochs.append(epoch))
    assert epochs == list(range(1, config.all_epochs + 1)) == [1, 2, 3, 4]


def test_labels_of_validation_and_test_reach_no_prediction(mplp: TuningConfig, few: Corpus) -> None:
    """With one epoch of a stage there is nothing to select, so other labels there must change no bit."""
    turned = {"neutral": "joy", "joy": "anger", "anger": "neutral"}
    other = replace(
        few,
        dialogues=tuple(
            dialogue
            if dialogue.split == "train"
            else replace(
                dialogue,
                utterances=tuple(replace(each, emotion=turned[each.emotion or ""]) for each in dialogue.utterances),
            )
            for dialogue in few.dialogues
        ),
    )
    one, two = (tune_mplp(corpus, mplp, 0) for corpus in (few, other))
    assert one.predictions["scores"] == two.predictions["scores"]
    assert one.predictions["gold"] != two.predictions["gold"]
    for name, weight in one.system.state_dict().items():
        assert torch.equal(weight, two.system.state_dict()[name]), name


def test_labels_held_out_of_train_are_not_paraphrased(mplp: TuningConfig, few: Corpus) -> None:
    _, model, data, maker = prepare_mplp(few, mplp, unseen=["joy"])
    model.begin_stage(2)
    tuner = ChunkTuner(model, data, mplp, maker, 0, torch.device("cpu"), ALONE)
    rows = [row for batch in tuner.batches(1) for row in batch]
    assert data.classes.index("joy") not in data.gold[rows]
    assert len(rows) == len(data.train_rows())


def test_an_update_takes_a_chunk_of_a_dialogue(mplp: TuningConfig, few: Corpus) -> None:
    _, model, data, maker = prepare_mplp(few, mplp)
    tuner = ChunkTuner(model, data, replace(mplp, batch_size=3), maker, 0, torch.device("cpu"), ALONE)
    batches = tuner.batches(1)
    assert sorted(row for rows in batches for row in rows) == data.train_rows().tolist()
    for rows in batches:
        assert len(rows) <= 3
        assert all(two == one + 1 for one, two in pairwise(rows))
        assert len({data.utterances[row].dialogue_id for row in rows}) == 1
    assert {len(rows) for rows in batches} == {1, 2, 3}
    assert [rows.tolist() for rows in tuner.batches(2)] != [rows.tolist() for rows in batches]


def test_new_parts_have_a_rate_of_their_own(mplp: TuningConfig, few: Corpus) -> None:
    _, model, data, maker = prepare_mplp(few, mplp)
    model.begin_stage(2)
    config = replace(mplp, learning_rate=2e-5, head_rate=2e-3)
    tuner = ChunkTuner(model, data, config, maker, 0, torch.device("cpu"), ALONE)
    names = {parameter: name for name, parameter in model.named_parameters()}
    for group in tuner.optimizer.param_groups:
        for parameter in group["params"]:
            assert group["peak"] == (2e-3 if names[parameter].startswith("prompts.") else 2e-5)
            assert group["eps"] == 1e-6
            assert group["weight_decay"] == (0.01 if parameter.ndim > 1 else 0.0)


def test_what_is_no_encoder_decoder_is_refused(mplp: TuningConfig, few: Corpus, bert: str, bart: str) -> None:
    from fmerl.features.text.encoder import load_encoder

    with pytest.raises(InputError, match=r"no encoder-decoder can be loaded .* such as facebook/bart-large") as caught:
        prepare_mplp(few, replace(mplp, encoder=bert))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no text encoder can be loaded") as caught:
        load_encoder(bart)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("length", "said"), [(4, "holds no text"), (64, "tokens with its prompts"), (65, "takes 64")])
def test_lengths_that_do_not_fit_are_refused(mplp: TuningConfig, few: Corpus, length: int, said: str) -> None:
    speaker = "my " * 20
    named = replace(
        few,
        dialogues=tuple(
            replace(each, utterances=tuple(replace(one, speaker=speaker) for one in each.utterances))
            for each in few.dialogues
        ),
    )
    with pytest.raises(InputError, match=said) as caught:
        prepare_mplp(named, replace(mplp, max_length=length))
    assert "\n" not in str(caught.value)


def test_a_speaker_may_be_called_as_a_mask_is(mplp: TuningConfig, few: Corpus) -> None:
    tokenizer, _, data, _ = prepare_mplp(few, mplp)
    masked = [replace(each, speaker="[MASK]") for each in data.utterances]
    texts = PromptedTexts(tokenizer, 3, 64, mplp, masked, data.classes)
    assert set(texts.places) == {(4, 9)}


def test_own_paraphrases_take_the_place_of_the_projects(tmp_path: Path) -> None:
    path = tmp_path / "said.json"
    path.write_text(json.dumps({"joy": "walking on air", "boredom": "yawning"}))
    own = read_paraphrases(path)
    found = paraphrases_of(["joy", "Anger", "boredom", "mixed"], own)
    assert found == ("joy , walking on air", f"Anger , {GLOSSES['anger']}", "boredom , yawning", "mixed")
    with pytest.raises(InputError, match="boredom is no class"):
        paraphrases_of(["joy", "anger"], own)
    for bad in ("[1]", '{"joy": ""}', '{"joy": 1}', "{"):
        path.write_text(bad)
        with pytest.raises(InputError) as caught:
            read_paraphrases(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"stages": "second"}, "stages"),
        ({"first_epochs": 0}, "first_epochs"),
        ({"history_turns": 0}, "history_turns"),
        ({"neighbours": -1}, "neighbours"),
        ({"generation_weight": -0.1}, "generation_weight"),
        ({"paraphrases": ("joy",)}, "CLASS=words"),
        ({"paraphrases": ("joy=a", "joy=b")}, "of each class one"),
    ],
)
def test_settings_out_of_their_range_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MPLPConfig(**values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"system": "mplp"}, "mplp reads prompt"),
        ({"input": "prompt"}, "no other does"),
        ({"system": "mplp", "input": "prompt", "layer_decay": 0.9}, "layer_decay must be 1"),
        ({"system": "mplp", "input": "prompt", "patience": 1}, "patience 0"),
    ],
)
def test_what_mplp_does_not_read_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TuningConfig(**values)
