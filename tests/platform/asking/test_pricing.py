"""Price tables, bounds on a request, and replies that are no chat completion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.prices import Tokens, likely_tokens, most_tokens, read_price
from fmerl_platform.asking.question import Decoding, Questions

TABLE: dict[str, Any] = {"currency": "USD", "per_tokens": 1000, "models": {"m": {"prompt": 2, "completion": 8}}}


def test_price_is_per_token(tmp_path: Path) -> None:
    (path := tmp_path / "prices.json").write_text(json.dumps(TABLE))
    price = read_price(path, "m")
    assert (price.cost(Tokens(1000, 500)), price.currency) == (6.0, "USD")
    assert price.cost(Tokens(1000, 500), in_batch=True) == 3.0, "half the price, unless the table tells otherwise"


def test_price_of_cached_tokens_and_share_of_batches_may_be_told(tmp_path: Path) -> None:
    models = {"m": {**TABLE["models"]["m"], "cached": 1, "batch": 0.25}}
    (path := tmp_path / "prices.json").write_text(json.dumps({**TABLE, "models": models}))
    price = read_price(path, "m")
    assert price.cost(Tokens(1000, 500, cached=600)) == 0.8 + 0.6 + 4.0
    assert price.cost(Tokens(1000, 500), in_batch=True) == 1.5


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "no JSON"),
        ("[]", "no price table"),
        (json.dumps({**TABLE, "per_tokens": 0}), "no price table"),
        (json.dumps({**TABLE, "models": {"n": {}}}), r"no price of m \(there are n\)"),
        (json.dumps({**TABLE, "models": {"m": {"prompt": 1}}}), "not two amounts"),
        (json.dumps({**TABLE, "models": {"m": {"prompt": -1, "completion": 1}}}), "not two amounts"),
        (json.dumps({**TABLE, "models": {"m": {"prompt": 1, "completion": 1, "batch": "half"}}}), "batch of m must be"),
        (json.dumps({**TABLE, "models": {"m": {"prompt": True, "completion": 1}}}), "not two amounts"),
    ],
)
def test_bad_table_is_named(tmp_path: Path, text: str, what: str) -> None:
    (path := tmp_path / "prices.json").write_text(text)
    with pytest.raises(InputError, match=what) as caught:
        read_price(path, "m")
    assert caught.value.where == str(path)


def test_absent_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_price(tmp_path / "none.json", "m")


@given(st.text())
def test_bound_is_no_less_than_a_token_per_byte(utterance: str) -> None:
    call = Questions(model="m", prompts=PromptConfig(), decoding=Decoding(mode="text")).score(utterance, "valence")
    assert most_tokens(call.body).prompt >= len(call.body["messages"][0]["content"].encode())
    assert likely_tokens(call.body).total <= most_tokens(call.body).total
