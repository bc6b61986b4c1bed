"""Bodies of replies: what is a completion, however oddly it is told, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from helpers.labelling_endpoint import completion
from hypothesis import given
from hypothesis import strategies as st

from fmerl.supervision.answers import Answer
from fmerl_platform.asking.prices import Tokens
from fmerl_platform.asking.reply import BadReplyError, Reply, read_reply

BUDGET = 16


def reply(message: dict[str, Any] | None = None, finish_reason: str = "stop", tokens: int = 1, **choice: Any) -> Reply:
    usage = {"prompt_tokens": 30, "completion_tokens": tokens}
    message = {"role": "assistant", "content": "3"} if message is None else message
    choices = [{"index": 0, "finish_reason": finish_reason, "message": message, **choice}]
    return read_reply(json.dumps({"model": "any", "choices": choices, "usage": usage}), BUDGET)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[]",
        '{"error": {"message": "overloaded"}}',
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"choices": [{"message": {"content": 3}}]}',
        "[" * 100_000,
    ],
)
def test_reply_that_is_none(body: str) -> None:
    with pytest.raises(BadReplyError):
        read_reply(body, BUDGET)


@pytest.mark.parametrize("body", ["<html><body>Welcome to the proxy</body></html>", '{"error": "Welcome to nowhere"}'])
def test_words_of_what_is_no_reply_are_told(body: str) -> None:
    with pytest.raises(BadReplyError, match="Welcome to"):
        read_reply(body, BUDGET)


@pytest.mark.parametrize("usage", [None, [], {}, {"prompt_tokens": 1}, {"prompt_tokens": -1, "completion_tokens": 1}])
def test_reply_without_usage(usage: Any) -> None:
    read = read_reply(json.dumps(completion("3", usage=usage)), BUDGET)
    assert (read.answer.text, read.tokens) == ("3", None)


@pytest.mark.parametrize(
    ("details", "cached"),
    [({"cached_tokens": 24}, 24), ({}, 0), (None, 0), ({"cached_tokens": None}, 0), ({"cached_tokens": 31}, 0)],
)
def test_cached_tokens_are_told(details: Any, cached: int) -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 1, "prompt_tokens_details": details}
    assert read_reply(json.dumps(completion("3", usage=usage)), BUDGET).tokens == Tokens(30, 1, cached)


def test_reply_with_nothing_but_a_refusal() -> None:
    assert reply({"role": "assistant", "content": None, "refusal": "no"}).answer.refusal == "no"


@given(st.text())
def test_no_body_breaks_the_reader(body: str) -> None:
    with pytest.raises(BadReplyError):
        read_reply(body, BUDGET)


@pytest.mark.parametrize("word", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
def test_cut_off_is_known_by_every_word(word: str) -> None:
    assert reply(finish_reason=word).answer.cut_off


def test_cut_off_is_known_by_the_tokens_used() -> None:
    assert reply(tokens=BUDGET).answer.cut_off
    assert not reply(tokens=BUDGET - 1).answer.cut_off


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        [],
        {},
        {"content": None},
        {"content": [None]},
        {"content": [{"token": "3", "logprob": -0.1, "top_logprobs": None}]},
        {"content": [{"token": "3", "logprob": -0.1, "top_logprobs": []}]},
        {"content": [{"token": "3", "logprob": -0.1}]},
        {"content": [{"token": "3", "logprob": -0.1, "top_logprobs": [{"token": "3"}]}]},
    ],
)
def test_odd_candidates_leave_the_text(logprobs: Any) -> None:
    assert reply(logprobs=logprobs).answer == Answer(text="3")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "or 4?"}]}, {"type": "text", "text": "3"}], "3"),
        ([{"type": "text", "text": "Score: "}, {"type": "output_text", "text": "3"}], "Score: 3"),
        (["3"], "3"),
        ([], ""),
        ([None, {"type": "text"}, {"type": "reasoning", "text": "4"}], ""),
        (None, ""),
        ("\ud83d\ude00 3 \ud800", "\U0001f600 3 \ufffd"),
    ],
)
def test_content_is_the_text_of_its_parts(content: Any, text: str) -> None:
    assert reply({"role": "assistant", "content": content, "reasoning_content": "4"}).answer.text == text


def test_message_without_content_is_an_empty_answer() -> None:
    read = reply({"role": "assistant"}, "length", tokens=0)
    assert (read.answer.text, read.answer.cut_off, read.tokens and read.tokens.prompt) == ("", True, 30)
