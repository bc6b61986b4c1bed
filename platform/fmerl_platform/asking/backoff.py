"""Wait before a failed request is sent again."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Exponential backoff with full jitter."""

    first_seconds: float = 0.5
    """Longest wait after the first failure; doubles with each."""
    most_seconds: float = 60.0
    """Longest wait that is not the endpoint's own wish."""
    tries: int = 8
    """Requests for one answer, the first included."""

    def seconds(self, failures: int, retry_after: float | None) -> float:
        """Wait after so many failures: at least what the endpoint asks for, and jitter on top."""
        most = min(self.most_seconds, self.first_seconds * 2 ** (failures - 1))
        jitter = random.uniform(0, most)
        return jitter if retry_after is None else retry_after + jitter


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The wait an endpoint asks for, in seconds; None if it asks for none, or in no valid form.

    `retry-after-ms`, else Retry-After in seconds or as an HTTP date (RFC 9110, 10.2.3).
    """
    value = headers.get("retry-after", "").strip()
    for read in (lambda: float(headers["retry-after-ms"]) / 1000, lambda: float(value), lambda: _seconds_until(value)):
        try:
            seconds = read()
        except (KeyError, ValueError, TypeError, OverflowError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _seconds_until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()
