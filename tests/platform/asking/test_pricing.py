"""Price tables, bounds on a request, and replies that are no chat completion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.labelling_endpoint import completion
from hypothesis import given
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.prices import Tokens, likely_tokens, most_tokens, read_price
from fmerl_platform.asking.question import Decoding, Questions
from fmerl_platform.asking.reply import BadReplyError, read_reply

TABLE = {"currency": "USD", "per_tokens": 1000, "models": {"m": {"prompt": 2, "completion": 8}}}


def test_price_is_per_token(tmp_path: Path) -> None:
    (path := tmp_path / "prices.json").write_text(json.dumps(TABLE))
    price = read_price(path, "m")
    assert (price.cost(Tokens(1000, 500)), price.currency) == (6.0, "USD")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "no JSON"),
        ("[]", "no price table"),
        (json.dumps({**TABLE, "per_tokens": 0}), "no price table"),
        (json.dumps({**TABLE, "models": {"n": {}}}), r"no price of m \(there are n\)"),
        (json.dumps({**TABLE, "models": {"m": {"prompt": 1}}}), "not two amounts"),
        (json.dumps({**TABLE, "models": {"m": {"prompt": -1, "completion": 1}}}), "not two amounts"),
        (json.dumps({**TABLE, "models": {"m": {"prompt": True, "completion": 1}}}), "not two amounts"),
    ],
)
def test_bad_table_is_named(tmp_path: Path, text: str, what: str) -> None:
    (path := tmp_path / "prices.json").write_text(text)
    with pytest.raises(InputError, match=what) as caught:
        read_price(path, "m")
    assert caught.value.where == str(path)


def test_absent_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_price(tmp_path / "none.json", "m")


@given(st.text())
def test_bound_is_no_less_than_a_token_per_byte(utterance: str) -> None:
    call = Questions(model="m", prompts=PromptConfig(), decoding=Decoding(mode="text")).score(utterance, "valence")
    assert most_tokens(call.body).prompt >= len(call.body["messages"][0]["content"].encode())
    assert likely_tokens(call.body).total <= most_tokens(call.body).total


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
        '{"choices": [{"message": {}}]}',
        '{"choices": [{"message": {"content": 3}}]}',
        '{"choices": [{"message": {"content": "3"}, "logprobs": {"content": [{"token": "3"}]}}]}',
    ],
)
def test_reply_that_is_none(body: str) -> None:
    with pytest.raises(BadReplyError):
        read_reply(body)


@pytest.mark.parametrize("usage", [None, [], {}, {"prompt_tokens": 1}, {"prompt_tokens": -1, "completion_tokens": 1}])
def test_reply_without_usage(usage: Any) -> None:
    reply = read_reply(json.dumps(completion("3", usage=usage)))
    assert (reply.answer.text, reply.tokens) == ("3", None)


def test_reply_with_nothing_but_a_refusal() -> None:
    fields = completion("")
    fields["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "no"}
    assert read_reply(json.dumps(fields)).answer.refusal == "no"


@given(st.text())
def test_no_body_breaks_the_reader(body: str) -> None:
    with pytest.raises(BadReplyError):
        read_reply(body)
