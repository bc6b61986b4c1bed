"""Inputs of a tuned encoder, token by token."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.processors import RobertaProcessing

from fmerl.corpus import Corpus, Dialogue, Utterance
from fmerl.errors import InputError
from fmerl.finetuning.config import InputChoice, TuningConfig
from fmerl.finetuning.inputs import InputBuilder, TokenSequence, tuning_items
from fmerl.finetuning.model import prepare_encoder

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
        ("tags", "[CLS] [UNK] [UNK] [UNK] what a day <[UNK]> <[UNK]> <[UNK]> <leave> <me>"),
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
    choice=st.sampled_from(["utterance", "name", "past", "both", "mask", "tags"]),
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
        assert choice == "tags" or each.ids[-1] == tokenizer.sep_token_id


@pytest.fixture(scope="module")
def tagging(bert: str) -> Any:
    """The tokenizer with tokens for two speakers."""
    return prepare_encoder(TuningConfig(encoder=bert, input="tags", speaker_tokens=2, max_length=60))[0]


def test_speakers_are_numbered_by_their_first_turn(tagging: Any) -> None:
    turns = (*TURNS, ("Third", "day"), ("Oh", ""))
    last = sequences(tagging, talk(turns), input="tags", pooling="mean")[-1]
    expected = "[CLS] <s1> what a day <s2> leave me <s1> alone ! <s2> god [UNK] [UNK] [UNK] day <<s1>>"
    assert words(tagging, last) == expected
    nearest = sequences(tagging, talk(turns), input="tags", context_turns=1)[2]
    assert words(tagging, nearest) == "<[CLS]> <s2> leave me <s1> alone !"


def test_the_last_tokens_are_kept_of_tagged_turns(tagging: Any) -> None:
    last = sequences(tagging, talk(), input="tags", max_length=8, pooling="mean")[3]
    assert words(tagging, last) == "[CLS] leave me <s1> alone ! <<s2>> <god>"
    (cut,) = sequences(tagging, talk((("Oh", "what a day leave me"),)), input="tags", max_length=5, pooling="mean")
    assert words(tagging, cut) == "[CLS] <a> <day> <leave> <me>"
    assert cut.cut


def test_a_turn_by_itself_has_neither_tag_nor_last_token(tokenizer: Any) -> None:
    builder = InputBuilder(tokenizer, TuningConfig(max_length=5), 64)
    found = builder.alone(["leave me", "what a day leave me", ""])
    assert [words(tokenizer, each) for each in found] == ["<[CLS]> leave me", "<[CLS]> a day leave me", "<[CLS]>"]


@pytest.mark.parametrize("tokens", [0, 2])
def test_tagged_turns_are_tokens_of_the_whole_text(tokens: int) -> None:
    """Byte pairs know spaces, so pieces must be cut where the whole text would be."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    pairs = ByteLevelBPETokenizer()
    pairs.train_from_iterator(["what a day", "leave me alone", "oh my god !", "<s1> <s2>"] * 3, vocab_size=300)
    pairs.add_special_tokens(["<s>", "</s>"])
    pairs.post_processor = RobertaProcessing(("</s>", 1 + pairs.token_to_id("<s>")), ("<s>", pairs.token_to_id("<s>")))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pairs._tokenizer, bos_token="<s>", eos_token="</s>")
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<s{number + 1}>" for number in range(tokens)]})
    whole = "<s1> what a day <s2> leave me <s1> alone ! <s2> god"
    (*_, last) = sequences(tokenizer, talk(), input="tags")
    assert last.ids == [tokenizer.bos_token_id, *tokenizer(whole, add_special_tokens=False)["input_ids"]]
