"""Models that lie neither in the hub's cache nor within reach: said within seconds."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from fmerl.features.hub import from_cache_or_hub


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(**options: Any) -> None:
        asked.append(options)
        raise OSError("not here")

    with socket.socket() as bound:  # it does not listen
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{bound.getsockname()[1]}")
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        with pytest.raises(OSError, match=r"not in the hub's cache, and http://127\.0\.0\.1:\d+ does not answer"):
            from_cache_or_hub("some/model", load)
    assert asked == [{"local_files_only": True}]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OSError, match="not here"):
        from_cache_or_hub("some/model", load)
    assert len(asked) == 3
