"""Inputs of a tuned encoder, token by token."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.corpus import Corpus, Dialogue, Utterance
from fmerl.errors import InputError
from fmerl.finetuning.config import InputChoice, TuningConfig
from fmerl.finetuning.inputs import InputBuilder, TokenSequence, tuning_items

TURNS = (("Oh", "what a day"), ("My", "leave me"), ("Oh", "alone !"), ("My", "god"))


def talk(turns: tuple[tuple[str, str], ...] = TURNS) -> Corpus:
    utterances = tuple(
        Utterance(
            utterance_id=str(turn),
            dialogue_id="d",
            turn=turn,
            speaker=speaker,
            text=text,
            emotion="joy",
            split="train",
        )
        for turn, (speaker, text) in enumerate(turns)
    )
    dialogue = Dialogue(dialogue_id="d", utterances=utterances)
    return Corpus(name="c", classes=("joy", "anger"), vad_range=(1, 5), dialogues=(dialogue,))


@pytest.fixture(scope="module")
def tokenizer(bert: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(bert)


def sequences(tokenizer: Any, corpus: Corpus, **values: Any) -> list[TokenSequence]:
    config = TuningConfig(**{"max_length": 60, **values})
    return InputBuilder(tokenizer, config, 64).sequences(tuning_items(corpus, config.input, config.context_turns))


def words(tokenizer: Any, sequence: TokenSequence) -> str:
    """Tokens, those that are read in brackets; BERT's colon is unknown to this vocabulary."""
    tokens = tokenizer.convert_ids_to_tokens(sequence.ids)
    return " ".join(f"<{token}>" if place in sequence.read else token for place, token in enumerate(tokens))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("utterance", "[CLS] <leave> <me> [SEP]"),
        ("name", "[CLS] <my> <[UNK]> <leave> <me> [SEP]"),
        ("past", "[CLS] oh [UNK] what a day [SEP] <my> <[UNK]> <leave> <me> [SEP]"),
        (
            "both",
            "[CLS] oh [UNK] what a day [SEP] <my> <[UNK]> <leave> <me> [SEP] oh [UNK] alone ! my [UNK] god [SEP]",
        ),
        (
            "mask",
            "[CLS] oh [UNK] what a day [UNK] [UNK] [UNK] my [UNK] leave me my [UNK] <[MASK]> [SEP]",
        ),
    ],
)
def test_every_choice_reads_as_documented(tokenizer: Any, choice: InputChoice, expected: str) -> None:
    assert words(tokenizer, sequences(tokenizer, talk(), input=choice, pooling="mean")[1]) == expected


def test_an_utterance_alone_is_what_the_tokenizer_makes(tokenizer: Any) -> None:
    for found, (_, text) in zip(sequences(tokenizer, talk()), TURNS, strict=True):
        assert found.ids == tokenizer(text)["input_ids"]
        assert found.read == range(1)


def test_separators_stand_where_there_is_no_turn(tokenizer: Any) -> None:
    alone = talk(TURNS[:1])
    assert words(tokenizer, sequences(tokenizer, alone, input="past")[0]) == "<[CLS]> [SEP] oh [UNK] what a day [SEP]"
    both = words(tokenizer, sequences(tokenizer, alone, input="both")[0])
    assert both == "<[CLS]> [SEP] oh [UNK] what a day [SEP] [SEP]"


def test_far_turns_are_left_out_whole(tokenizer: Any) -> None:
    last = sequences(tokenizer, talk(), input="past", max_length=14)[3]
    assert words(tokenizer, last) == "<[CLS]> my [UNK] leave me oh [UNK] alone ! [SEP] my [UNK] god [SEP]"
    last = sequences(tokenizer, talk(), input="past", max_length=13)[3]
    assert words(tokenizer, last) == "<[CLS]> oh [UNK] alone ! [SEP] my [UNK] god [SEP]"
    last = sequences(tokenizer, talk(), input="past", context_turns=1)[3]
    assert words(tokenizer, last) == "<[CLS]> oh [UNK] alone ! [SEP] my [UNK] god [SEP]"


def test_both_sides_are_taken_in_turn(tokenizer: Any) -> None:
    """Room for one turn of each side, not for two of one."""
    second = sequences(tokenizer, talk(), input="both", max_length=17)[1]
    expected = "<[CLS]> oh [UNK] what a day [SEP] my [UNK] leave me [SEP] oh [UNK] alone ! [SEP]"
    assert words(tokenizer, second) == expected


def test_an_utterance_that_is_too_long_is_cut_at_its_end(tokenizer: Any) -> None:
    found = sequences(tokenizer, talk(), input="both", max_length=7, pooling="mean")[0]
    assert words(tokenizer, found) == "[CLS] [SEP] <oh> <[UNK]> <what> [SEP] [SEP]"
    assert found.cut


@pytest.mark.parametrize(
    ("values", "said"),
    [({"max_length": 65}, "takes 64"), ({"max_length": 4}, "holds no text")],
)
def test_a_length_that_cannot_be_is_refused(tokenizer: Any, values: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        sequences(tokenizer, talk(), **values)


def test_a_prompt_that_does_not_fit_is_refused(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="prompt of 0"):
        sequences(tokenizer, talk((("oh " * 20, "god"),)), input="mask", max_length=20)


def test_a_mask_that_is_not_there_is_refused(bert: str) -> None:
    from transformers import AutoTokenizer

    maskless = AutoTokenizer.from_pretrained(bert, mask_token=None)
    with pytest.raises(InputError, match="no mask"):
        sequences(maskless, talk(), input="mask")


@given(
    turns=st.lists(
        st.tuples(st.sampled_from(["A", "B"]), st.text("oh my god what ! 1é", max_size=30)), min_size=1, max_size=6
    ),
    choice=st.sampled_from(["utterance", "name", "past", "both", "mask"]),
    pooling=st.sampled_from(["cls", "mean"]),
    length=st.integers(12, 60),
)
def test_any_dialogue_fits(
    tokenizer: Any, turns: list[tuple[str, str]], choice: InputChoice, pooling: Any, length: int
) -> None:
    found = sequences(tokenizer, talk(tuple(turns)), input=choice, pooling=pooling, max_length=length)
    assert len(found) == len(turns)
    for each in found:
        assert len(each.ids) <= length
        assert 0 <= each.read.start < each.read.stop <= len(each.ids)
        assert each.ids[0] == tokenizer.cls_token_id
        assert each.ids[-1] == tokenizer.sep_token_id
