"""An endpoint's ways: fields that its requests must have otherwise, learned from its refusals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

_FIELDS = ("max_tokens", "temperature")
_ABOUT_FIELDS = {400, 404, 422, 500, 501}
"""Statuses that endpoints answer a field with."""
_NOT_TAKEN = re.compile(
    r"support|only the default|not (?:allowed|permitted)|deprecated|un(?:known|recognized|expected)|extra",
    re.IGNORECASE,
)
"""Words about a field itself, not about a value that the user may mend."""
_FLAGGED = re.compile(r"flagged|moderation|content[ _](?:filter|policy|management)|\bsafety\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A request that an endpoint answered with an error."""

    status: int
    field: str
    """That the endpoint names as the cause; empty if it names none by itself."""
    words: str
    """The endpoint's message and code."""

    @property
    def about_input(self) -> bool:
        """True if it is about the text of this one request, as a moderation filter's is."""
        return self.status in (400, 403, 422) and bool(_FLAGGED.search(self.words))


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How an endpoint wants its requests; as it stands, the way of most."""

    completion_tokens: bool = False
    """The longest answer is told as `max_completion_tokens`, not as `max_tokens`."""
    fixed_temperature: bool = False
    """No temperature is taken: answers are drawn at the endpoint's own."""

    def lessons(self) -> int:
        """Number of fields in which the endpoint differs from most."""
        return sum(astuple(self))

    def fit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A request's body as the endpoint takes it."""
        fitted = dict(body)
        if self.completion_tokens:
            fitted["max_completion_tokens"] = fitted.pop("max_tokens")
        if self.fixed_temperature:
            del fitted["temperature"]
        return fitted

    def obey(self, refusal: Refusal) -> Ways:
        """The ways that a refusal asks for: the same ones if it names no field that can be sent otherwise."""
        if refusal.status not in _ABOUT_FIELDS or not _NOT_TAKEN.search(refusal.words):
            return self
        named = refusal.field or next((name for name in _FIELDS if name in refusal.words), "")
        if named == "max_tokens":
            return replace(self, completion_tokens=True)
        return replace(self, fixed_temperature=True) if named == "temperature" else self


USUAL_WAYS = Ways()
