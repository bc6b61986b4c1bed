"""A fake endpoint for each test, and requests to label with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from labelling_endpoint import SENTINEL, FakeEndpoint
from rich.console import Console

from fmerl.corpus import Corpus
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.labelling.request import LabelRequest


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEndpoint]:
    """Running, and the one that the environment names."""
    fake = FakeEndpoint()
    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
    monkeypatch.setenv("OPENAI_API_KEY", SENTINEL)
    yield fake
    fake.stop()


@pytest.fixture
def console() -> Console:
    return Console(quiet=True)


@pytest.fixture
def make_request(tmp_path: Path) -> Callable[..., LabelRequest]:
    """A request for a label set below the test's folder."""

    def make(corpus: Corpus, **changes: Any) -> LabelRequest:
        fields: dict[str, Any] = {
            "corpus": corpus,
            "labels": tmp_path / "labels",
            "storage": tmp_path / "runs",
            "model": "judge",
            "prompts": PromptConfig(),
            "decoding": "text",
            "retest": 0,
            "timeout": 5.0,
        }
        return LabelRequest(**{**fields, **changes})

    return make
