"""The API key: used in requests, and shown nowhere."""

from __future__ import annotations

_REDACTED = "[API key]"
_SHORTEST = 8
"""Shorter keys, which local endpoints take for form's sake, are words that answers may hold."""


class Secret:
    """A key that prints as stars, in tracebacks and logs too."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the client of the endpoint only."""
        return self._value

    def redact(self, text: str) -> str:
        """`text` without the key: endpoints quote it in their errors."""
        return text.replace(self._value, _REDACTED) if len(self._value) >= _SHORTEST else text

    def __repr__(self) -> str:
        return "Secret(***)"
