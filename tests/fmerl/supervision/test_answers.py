"""Answers are read as what they say, or refused by name; no text ends in a score that it does not hold."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.config import DIMENSIONS
from fmerl.supervision.answers import (
    MODES,
    Answer,
    AnswerError,
    Mode,
    read_phrase,
    read_score,
    read_scores,
    score_schema,
)
from fmerl.supervision.classification import read_class

SCALE = (0.0, 5.0)


def fault_of(answer: Answer, mode: Mode, scale: tuple[float, float] = SCALE) -> str:
    with pytest.raises(AnswerError) as caught:
        read_score(answer, mode, scale)
    return caught.value.fault


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Score: 3.5 out of 5", 3.5),
        ("3", 3),
        (" 4/5 ", 4),
        ("3.5 / 5.0.", 3.5),
        ("**Score:** 3", 3),
        ("The score is 2.5.", 2.5),
        ("2.5 (on a scale from 0 to 5)", 2.5),
        ("On a scale of 0-5, I would say 3.", 3),
        ("between 0 and 5: 1", 1),
        ("5 out of 5", 5),
        ("0/5", 0),
        ("score=3", 3),
        ("Valence: 3\n\nSo the score is 3.0", 3),
    ],
)
def test_text_with_one_score(text: str, score: float) -> None:
    assert read_score(Answer(text=text), "text", SCALE) == score


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("As an AI, I have no feelings", "refusal"),
        ("five", "no score"),
        ("from 0 to 5", "no score"),
        ("the 4th of May", "no score"),
        ("80%", "no score"),
        ("I'd say 3 or 4", "ambiguous"),
        ("3-4", "ambiguous"),
        ("4 out of 10", "ambiguous"),
        ("5 out of 50", "ambiguous"),
        ("3,5", "ambiguous"),
        ("1.2.3", "ambiguous"),
        ("7", "out of range"),
        ("-1", "out of range"),
        ("−1", "out of range"),
    ],
)
def test_text_without_one_score(text: str, fault: str) -> None:
    assert fault_of(Answer(text=text), "text") == fault


def test_number_that_may_go_on_is_no_score() -> None:
    for text in ("The score is 3", "The score is 3.", "3 because the", "First thoughts:\n\n1.  **The words:** he"):
        for word in ("length", "max_tokens", "MAX_TOKENS", "model_length"):
            assert fault_of(Answer(text=text, finish_reason=word), "text") == "truncated"
    assert fault_of(Answer(text='{"score": 3}', finish_reason="max_tokens"), "schema") == "truncated"


@pytest.mark.parametrize("text", ["1. **The words** are calm", "Step 2: weigh the words", "- 1) calm\n- 2) warm"])
def test_numbers_of_lists_and_steps_are_no_scores(text: str) -> None:
    assert fault_of(Answer(text=text), "text") == "no score"


def test_score_beside_a_list() -> None:
    assert read_score(Answer(text="1. The words are warm.\n2. So is the tone.\nScore: 4"), "text", SCALE) == 4


WRAPPED = [
    "<think>\n\n</think>\n\n{}",
    "<think>2 or 4?</think>{}",
    "so 2, I think</think>\n{}",
    "[THINK]2[/THINK]{}",
    "{}<|im_end|>",
    "{}</s>\n",
    "```\n{}\n```",
    "<think></think>\n```json\n{}\n```<|eot_id|>",
]


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_what_surrounds_an_answer_is_taken_off(wrapping: str) -> None:
    def wrapped(text: str) -> Answer:
        return Answer(text=wrapping.replace("{}", text))

    assert read_score(wrapped("3"), "text", SCALE) == 3
    assert read_score(wrapped('{"score": 3}'), "schema", SCALE) == 3
    assert read_phrase(wrapped("bright and **warm**")) == "bright and warm"
    assert read_class(wrapped("Joy"), "text", ("joy", "anger")) == "joy"


def test_thoughts_without_an_answer_are_no_text() -> None:
    for text in ("<think>3, or", "<think>3</think>"):
        assert fault_of(Answer(text=text, finish_reason="length"), "text") == "empty"


@pytest.mark.parametrize("text", ['{"score": 1' + "0" * 400 + "}", '{"score": ' + "[" * 100_000])
def test_hostile_json_is_that_answers_fault(text: str) -> None:
    assert fault_of(Answer(text=text), "schema") == "malformed"


def test_scale_decides_what_is_left_out() -> None:
    assert read_score(Answer(text="7 out of 10"), "text", (1, 10)) == 7
    assert fault_of(Answer(text="0.5"), "text", (1, 5)) == "out of range"


@given(st.integers(0, 500), st.sampled_from(["{}", "Score: {}", "{}/5", "{} out of 5.", "It is **{}**."]))
def test_any_score_in_any_wording(hundredths: int, wording: str) -> None:
    score = hundredths / 100
    assert read_score(Answer(text=wording.format(score)), "text", SCALE) == score


@given(st.text(), st.sampled_from(MODES), st.sampled_from(["stop", "length", "content_filter"]))
def test_no_text_breaks_the_parser(text: str, mode: Mode, finish_reason: str) -> None:
    try:
        score = read_score(Answer(text=text, finish_reason=finish_reason), mode, SCALE)
    except AnswerError:
        return
    assert 0 <= score <= 5
    assert any(character.isdigit() for character in text)


@pytest.mark.parametrize("mode", MODES)
def test_endpoints_own_refusal(mode: Mode) -> None:
    assert fault_of(Answer(text="", refusal="I cannot help with this."), mode) == "refusal"
    assert fault_of(Answer(text="3", finish_reason="content_filter"), mode) == "refusal"


def test_schema_names_the_scale() -> None:
    assert score_schema((1, 5))["properties"]["score"] == {"type": "integer", "enum": [1, 2, 3, 4, 5]}
    assert score_schema((0, 100))["properties"]["score"] == {"type": "integer", "minimum": 0, "maximum": 100}
    assert score_schema((-1, 1))["properties"]["score"] == {"type": "number", "minimum": -1, "maximum": 1}
    assert score_schema((0, 0.5))["properties"]["score"] == {"type": "number", "minimum": 0, "maximum": 0.5}
    assert score_schema((0, 1), ("arousal", "valence"))["required"] == ["arousal", "valence"]


@given(st.floats(0, 5))
def test_schema(score: float) -> None:
    answer = Answer(text=json.dumps({"score": score}))
    assert read_score(answer, "schema", (-0.5, 5)) == score
    if score.is_integer():
        assert read_score(answer, "schema", SCALE) == score
    else:
        assert fault_of(answer, "schema") == "malformed"


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("schema", '{"arousal": 4, "valence": 0, "dominance": 5}'),
        ("schema", '```json\n{"valence": 0.0, "arousal": 4, "dominance": 5}\n```'),
        ("text", "Valence: 0, Arousal: 4, Dominance: 5"),
        ("text", "On a scale from 0 to 5:\n- **Arousal**: 4/5\n- **valence**: 0/5\n- dominance = 5 out of 5."),
    ],
)
def test_scores_of_all_dimensions(mode: Mode, text: str) -> None:
    assert read_scores(Answer(text=text), mode, SCALE, DIMENSIONS) == {"valence": 0, "arousal": 4, "dominance": 5}


@pytest.mark.parametrize(
    ("mode", "text", "fault"),
    [
        ("schema", '{"valence": 1, "arousal": 4}', "malformed"),
        ("schema", '{"valence": 1, "arousal": 4, "dominance": 5, "joy": 2}', "malformed"),
        ("schema", '{"valence": 1, "arousal": 4, "dominance": "5"}', "malformed"),
        ("schema", '{"valence": 1, "arousal": 4, "dominance": 2.5}', "malformed"),
        ("schema", '{"valence": 1, "arousal": 6, "dominance": 5}', "out of range"),
        ("schema", "[1, 2, 3]", "malformed"),
        ("text", "", "empty"),
        ("text", "I'm sorry, I cannot score this.", "refusal"),
        ("text", "1, 2, 3", "no score"),
        ("text", "Valence: 1, Arousal: 2", "no score"),
        ("text", "Valence: 1, Arousal: 2, Dominance:", "no score"),
        ("text", "Valence: 1 or 2, Arousal: 2, Dominance: 3", "ambiguous"),
        ("text", "Valence: 1, Arousal: 2, Dominance: 3. With more arousal: 4", "ambiguous"),
        ("text", "4 for valence, 3 for arousal, 2 for dominance", "no score"),
        ("text", "Valence: 1, Arousal: 2, Dominance: 7", "out of range"),
    ],
)
def test_scores_that_are_not_all_there(mode: Mode, text: str, fault: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read_scores(Answer(text=text), mode, SCALE, DIMENSIONS)
    assert caught.value.fault == fault


@pytest.mark.parametrize(
    ("mode", "text"), [("text", "Valence: 1, Arousal: 2, Dominance: 3"), ("schema", '{"valence": 1')]
)
def test_scores_that_were_cut_off_are_none(mode: Mode, text: str) -> None:
    with pytest.raises(AnswerError, match="truncated"):
        read_scores(Answer(text=text, finish_reason="length"), mode, SCALE, DIMENSIONS)


@pytest.mark.parametrize("mode", ["text", "schema"])
@given(
    text=st.text() | st.lists(st.sampled_from([*DIMENSIONS, ":", "3", "7", "{", "}", '"', ",", " ", "/5"])).map("".join)
)
def test_no_text_breaks_the_reading_of_all_dimensions(mode: Mode, text: str) -> None:
    try:
        scores = read_scores(Answer(text=text), mode, SCALE, DIMENSIONS)
    except AnswerError:
        return
    assert sorted(scores) == sorted(DIMENSIONS)
    assert all(0 <= score <= 5 for score in scores.values())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Score: 3", "malformed"),
        ('{"score": "3"}', "malformed"),
        ('{"score": true}', "malformed"),
        ('{"score": null}', "malformed"),
        ('{"score": NaN}', "malformed"),
        ('{"score": 3, "other": 4}', "malformed"),
        ("3", "malformed"),
        ('{"score": 6}', "out of range"),
        ("I am unable to score this.", "refusal"),
    ],
)
def test_bad_schema(text: str, fault: str) -> None:
    assert fault_of(Answer(text=text), "schema") == fault


def first_token(**shares: float) -> Answer:
    tokens = {"space3": " 3", "the": "The"}
    candidates = tuple((tokens.get(name, name[1:]), math.log(share)) for name, share in shares.items())
    return Answer(text="3", finish_reason="length", first_token=candidates)


def test_logprobs_give_the_expected_score() -> None:
    assert read_score(first_token(_2=0.25, _3=0.5, _4=0.25), "logprobs", SCALE) == pytest.approx(3)
    assert read_score(first_token(_3=0.2, space3=0.3, _4=0.1, _7=0.2, the=0.2), "logprobs", SCALE) == pytest.approx(
        (3 * 0.5 + 4 * 0.1) / 0.6
    )


@given(st.lists(st.floats(0.01, 1), min_size=6, max_size=6))
def test_logprobs_are_a_weighted_mean(shares: list[float]) -> None:
    total = sum(shares)
    answer = first_token(**{f"_{score}": share / total for score, share in enumerate(shares)})
    wanted = sum(score * share for score, share in enumerate(shares)) / total
    assert read_score(answer, "logprobs", SCALE) == pytest.approx(wanted)


def test_logprobs_of_something_else_are_no_score() -> None:
    assert fault_of(first_token(_3=0.3, the=0.7), "logprobs") == "no score"
    assert fault_of(Answer(text="3"), "logprobs") == "malformed"
    with pytest.raises(ValueError, match="one token"):
        read_score(first_token(_3=1), "logprobs", (0, 10))


@pytest.mark.parametrize("text", ["High arousal", ' "High arousal." ', "High arousal.\n", "“High arousal”."])
def test_phrase(text: str) -> None:
    assert read_phrase(Answer(text=text)) == "High arousal"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(text=""), "empty"),
        (Answer(text='"."'), "empty"),
        (Answer(text="I'm sorry, I can't."), "refusal"),
        (Answer(text="High and", finish_reason="length"), "truncated"),
        (Answer(text="High.\nVery high."), "malformed"),
        (Answer(text="high " * 40), "malformed"),
    ],
)
def test_no_phrase(answer: Answer, fault: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read_phrase(answer)
    assert caught.value.fault == fault
