"""Requests that ask the fake endpoint about a corpus with many test dialogues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.labelling_endpoint import talk

from fmerl.corpus import Corpus, Split
from fmerl_platform.asking.asker import RetryPolicy
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.llm_baselines.models import LanguageModel
from fmerl_platform.llm_baselines.request import BaselineRequest


def conversations(dialogues: int, in_test: int) -> Corpus:
    """Of four turns each, the first in validation, the last ones in test; who speaks tells the class."""
    corpus = talk([f"say {row}" for row in range(4 * dialogues)])

    def moved(number: int) -> Split:
        return "validation" if number == 0 else "test" if number >= dialogues - in_test else "train"

    parts = (
        replace(dialogue, utterances=tuple(replace(each, split=moved(number)) for each in dialogue.utterances))
        for number, dialogue in enumerate(corpus.dialogues)
    )
    return replace(corpus, dialogues=tuple(parts))


@pytest.fixture(scope="session")
def make_corpus() -> Callable[[int, int], Corpus]:
    """`conversations`."""
    return conversations


@pytest.fixture
def make_request(tmp_path: Path) -> Callable[..., BaselineRequest]:
    """About 20 utterances in 5 test dialogues, by one model with one seed."""

    def make(**changes: Any) -> BaselineRequest:
        fields: dict[str, Any] = {
            "corpus": conversations(8, 5),
            "models": (LanguageModel(name="Small", id="org/small", parameters=7e9),),
            "unseen": ("anger",),
            "shots": 1,
            "context": 1,
            "seeds": (0,),
            "decoding": "text",
            "retries": RetryPolicy(answers=2, backoff=Backoff(tries=1)),
            "storage": tmp_path / "runs",
        }
        return BaselineRequest(**{**fields, **changes})

    return make
