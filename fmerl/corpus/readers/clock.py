"""Times of day as releases write them."""

from __future__ import annotations

import re


def clock_seconds(time: str) -> float | None:
    """Seconds of a time such as `00:16:16,059` or `00:16:16.059`; None for any other text."""
    match = re.fullmatch(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[,.](\d{3})", time.strip(), re.ASCII)
    if match is None:
        return None
    hours, minutes, seconds, milliseconds = map(int, match.groups())
    return 3600 * hours + 60 * minutes + seconds + milliseconds / 1000
