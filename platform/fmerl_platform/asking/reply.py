"""Replies of an endpoint, checked field by field: a body that is no chat completion is a failed request.

Odd optional parts (log-probabilities, usage, content without text) are left out, and void no good reply.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fmerl.supervision.answers import Answer, quoted
from fmerl_platform.asking.prices import Tokens

_TEXT_PARTS = ("text", "output_text")
_DETAIL = 200
"""Characters kept of an endpoint's message."""


class BadReplyError(ValueError):
    """A body with status 200 that is no chat completion.

    Args:
        what: Why.
        error: The body's own error, if it has one.
    """

    def __init__(self, what: str, error: Any = None) -> None:
        message = error.get("message", error) if isinstance(error, dict) else error
        super().__init__(what if error is None else f"{what}: {' '.join(str(message).split())[:_DETAIL]}")
        self.out_of_quota = "insufficient_quota" in str(error)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A chat completion."""

    answer: Answer
    model: str
    """Model that the endpoint reports."""
    tokens: Tokens | None
    """Tokens used; None where the endpoint does not report them."""


def read_reply(body: str, budget: int) -> Reply:
    """Parse a chat completion.

    Args:
        body: As it came.
        budget: Tokens that the answer could take; one that took them all was cut off, whatever the endpoint says.

    Raises:
        BadReplyError: It is none.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise BadReplyError(f"the body is no JSON but {quoted(body)}") from None
    choices = _field(fields, "choices", list, body)
    if not choices:
        raise BadReplyError(f"no choices in {quoted(body)}")
    message = _field(choices[0], "message", dict, body)
    refusal, tokens = message.get("refusal"), _tokens(fields.get("usage"))
    finish_reason = str(choices[0].get("finish_reason") or "stop")
    if finish_reason == "stop" and tokens is not None and tokens.completion >= budget:
        finish_reason = "length"
    content = message.get("content")
    if not isinstance(content, str | list | None):
        raise BadReplyError(f"the content is no text in {quoted(body)}")
    answer = Answer(
        text=_text(content),
        finish_reason=finish_reason,
        refusal=_writable(refusal) if isinstance(refusal, str) and refusal else None,
        first_token=_first_token(choices[0].get("logprobs")),
    )
    return Reply(answer=answer, model=str(fields.get("model") or "not told"), tokens=tokens)


def _field(fields: Any, name: str, kind: type, body: str) -> Any:
    if not isinstance(fields, dict) or not isinstance(fields.get(name), kind):
        error = fields.get("error") if isinstance(fields, dict) else None
        raise BadReplyError(f"no {name} in {quoted(body)}" if error is None else f"no {name} but an error", error)
    return fields[name]


def _text(content: str | list[Any] | None) -> str:
    """The text of a content, which may come in parts; thoughts are none."""
    parts = content if isinstance(content, list) else [content]
    texts = (part.get("text") if isinstance(part, dict) and part.get("type") in _TEXT_PARTS else part for part in parts)
    return _writable("".join(text for text in texts if isinstance(text, str)))


def _writable(text: str) -> str:
    """Without lone surrogates, which no file takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _first_token(logprobs: Any) -> tuple[tuple[str, float], ...] | None:
    try:
        candidates = logprobs["content"][0]["top_logprobs"]
        return tuple((_writable(str(item["token"])), float(item["logprob"])) for item in candidates) or None
    except (LookupError, TypeError, ValueError):
        return None


def _tokens(usage: Any) -> Tokens | None:
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(prompt, int) or not isinstance(completion, int) or min(prompt, completion) < 0:
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Tokens(prompt, completion, cached if isinstance(cached, int) and 0 <= cached <= prompt else 0)
