"""A service whose models answer in this process, and rows compared."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import pytest

from fmerl.bundle.predictor import Predictor
from fmerl_platform.serving.model import about, predict_together
from fmerl_platform.serving.options import Limits
from fmerl_platform.serving.service import Conversation, Rows, Service


def service_of(predictor: Predictor, **limits: Any) -> Service:
    """Ask the models directly.

    Args:
        predictor: The models.
        limits: Bounds that are others than the defaults.
    """

    async def ask(conversation: Conversation) -> Rows:
        return predict_together(predictor, [conversation])[0]

    async def replicas() -> int:
        return 1

    return Service(about=about(predictor), limits=Limits(**limits), ask=ask, replicas=replicas)


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def assert_same_rows(found: Sequence[Any], wanted: Sequence[Any]) -> None:
    """Rows are the same, numbers to what a batch of other conversations moves."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            if isinstance(value, float):
                assert one[name] == pytest.approx(value, abs=1e-5), name
            elif name not in ("predicted", "seed_agreement"):
                assert one[name] == value, name
        # A class may change only where the likeliest two are as good as equal.
        assert one["predicted"] == other["predicted"] or one[one["predicted"]] == pytest.approx(
            other[other["predicted"]], abs=1e-5
        )
