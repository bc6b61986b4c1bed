"""A fake endpoint for each test that asks one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.batch_endpoint import BatchEndpoint
from helpers.labelling_endpoint import SENTINEL, FakeEndpoint
from rich.console import Console


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEndpoint]:
    """Running, and the one that the environment names."""
    fake = FakeEndpoint()
    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
    monkeypatch.setenv("OPENAI_API_KEY", SENTINEL)
    yield fake
    fake.stop()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchEndpoint]:
    """An endpoint that takes batches too, and the one that the environment names."""
    fake = BatchEndpoint()
    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
    monkeypatch.setenv("OPENAI_API_KEY", SENTINEL)
    yield fake
    fake.stop()


@pytest.fixture
def console() -> Console:
    return Console(quiet=True)
