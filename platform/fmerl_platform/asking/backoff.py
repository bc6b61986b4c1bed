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
    """The endpoint's Retry-After, in seconds or as an HTTP date (RFC 9110, 10.2.3); None if there is no valid one."""
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
