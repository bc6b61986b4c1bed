"""Replies of an endpoint, checked field by field: a body that is no chat completion is a failed request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fmerl.supervision.answers import Answer
from fmerl_platform.asking.prices import Tokens


class BadReplyError(ValueError):
    """A body with status 200 that is no chat completion."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A chat completion."""

    answer: Answer
    model: str
    """Model that the endpoint reports."""
    tokens: Tokens | None
    """Tokens used; None where the endpoint does not report them."""


def read_reply(body: str) -> Reply:
    """Parse a chat completion.

    Raises:
        BadReplyError: It is none.
    """
    try:
        fields = json.loads(body)
    except ValueError:
        raise BadReplyError("the body is no JSON") from None
    choices = _field(fields, "choices", list)
    if not choices:
        raise BadReplyError("no choices")
    message = _field(choices[0], "message", dict)
    content, refusal = message.get("content"), message.get("refusal")
    if not isinstance(content, str | None) or not isinstance(refusal, str | None):
        raise BadReplyError("the message's content is no text")
    if content is None and refusal is None and "content" not in message:
        raise BadReplyError("the message has no content")
    answer = Answer(
        text=content or "",
        finish_reason=str(choices[0].get("finish_reason") or "stop"),
        refusal=refusal or None,
        first_token=_first_token(choices[0].get("logprobs")),
    )
    return Reply(answer=answer, model=str(fields.get("model") or "not told"), tokens=_tokens(fields.get("usage")))


def _field(fields: Any, name: str, kind: type) -> Any:
    if not isinstance(fields, dict) or not isinstance(fields.get(name), kind):
        raise BadReplyError(f"no {name}")
    return fields[name]


def _first_token(logprobs: Any) -> tuple[tuple[str, float], ...] | None:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not content:
        return None
    try:
        return tuple((str(item["token"]), float(item["logprob"])) for item in content[0]["top_logprobs"]) or None
    except (LookupError, TypeError, ValueError):
        raise BadReplyError("the log-probabilities have another form") from None


def _tokens(usage: Any) -> Tokens | None:
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int) or min(prompt, completion) < 0:
        return None
    return Tokens(prompt, completion)
