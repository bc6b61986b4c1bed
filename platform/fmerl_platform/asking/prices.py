"""Tokens and their price: the user's price table, and bounds on a call before it is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmerl.errors import InputError
from fmerl.user_text import read_json

BATCH_SHARE = 0.5
"""Price of a request in a batch over that of a direct one, where the table does not tell.

OpenAI's Batch API FAQ: "Each model will be offered at 50% cost discount vs. the synchronous APIs"
(https://help.openai.com/en/articles/9197833-batch-api-faq); other endpoints of this kind say the same.
"""

_FORM = '{"currency": "USD", "per_tokens": 1000000, "models": {"<model>": {"prompt": 0.15, "completion": 0.6}}}'
_MESSAGE_TOKENS = 16
"""Tokens per message, more than chat templates add."""
_BYTES_PER_TOKEN = 4
"""Rough number of characters in a token of English."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """Price of one token, in `currency`."""

    prompt: float = 0.0
    completion: float = 0.0
    cached: float | None = None
    """Price of a prompt's token that the endpoint had in its cache; None for that of any other."""
    batch: float = BATCH_SHARE
    """Share of these prices that a request in a batch costs."""
    currency: str = ""

    def cost(self, tokens: Tokens, in_batch: bool = False) -> float:
        cached = self.prompt if self.cached is None else self.cached
        prompts = self.prompt * (tokens.prompt - tokens.cached) + cached * tokens.cached
        return (prompts + self.completion * tokens.completion) * (self.batch if in_batch else 1.0)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one or many requests."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    """Tokens of the prompt that the endpoint had in its cache."""

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    def __add__(self, other: Tokens) -> Tokens:
        cached = self.cached + other.cached
        return Tokens(self.prompt + other.prompt, self.completion + other.completion, cached)


def longest_answer(body: Mapping[str, Any]) -> int:
    """Tokens that a request lets its answer take, in either field for it."""
    return body["max_tokens"] if "max_tokens" in body else body["max_completion_tokens"]


def most_tokens(body: Mapping[str, Any]) -> Tokens:
    """Upper bound on a request's tokens: a token is at least one byte of text, or of the schema asked for."""
    return Tokens(_text_bytes(body) + _overhead(body), longest_answer(body))


def likely_tokens(body: Mapping[str, Any]) -> Tokens:
    """Estimate of a request's tokens, for English and an answer of full length."""
    return Tokens(_text_bytes(body) // _BYTES_PER_TOKEN + _overhead(body), longest_answer(body))


def read_price(path: Path, model: str) -> Price:
    """The price of a model's tokens.

    Raises:
        InputError: No such table, no price of the model, or a price or share that is no number from 0 up.
    """
    table = read_json(path, f"write {_FORM}")
    fields = table if isinstance(table, dict) else {}
    per_tokens, models, currency = (fields.get(name) for name in ("per_tokens", "models", "currency"))
    if not _is_amount(per_tokens) or not per_tokens or not isinstance(models, dict) or not isinstance(currency, str):
        raise InputError(path, "no price table", f"write {_FORM}")
    if model not in models:
        raise InputError(path, f"no price of {model} (there are {', '.join(models) or 'none'})", "add the model")
    price = models[model] if isinstance(models[model], dict) else {}
    prompt, completion = price.get("prompt"), price.get("completion")
    if not _is_amount(prompt) or not _is_amount(completion):
        raise InputError(path, f"the price of {model} is not two amounts", f"write {_FORM}")
    cached, batch = price.get("cached", prompt), price.get("batch", BATCH_SHARE)
    if not _is_amount(cached) or not _is_amount(batch):
        what = f"cached and batch of {model} must be amounts where they stand"
        raise InputError(path, what, "give cached as a price like prompt, and batch as a share such as 0.5")
    return Price(
        prompt=prompt / per_tokens,
        completion=completion / per_tokens,
        cached=cached / per_tokens,
        batch=batch,
        currency=currency,
    )


def _text_bytes(body: Mapping[str, Any]) -> int:
    schema = json.dumps(body["response_format"]) if "response_format" in body else ""
    return len(schema) + sum(len(message["content"].encode()) for message in body["messages"])


def _overhead(body: Mapping[str, Any]) -> int:
    return _MESSAGE_TOKENS * (len(body["messages"]) + 1)


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
