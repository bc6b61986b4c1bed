"""Requests to label with the fake endpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fmerl.corpus import Corpus
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.labelling.request import LabelRequest


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
        }
        return LabelRequest(**{**fields, **changes})

    return make
