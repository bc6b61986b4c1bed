"""A real OpenAI-compatible server on loopback: llama.cpp with a model of 135 million parameters.

The model is far too small to judge emotion: this shows that requests, decodings and journal fit a real server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from helpers.labelling_endpoint import talk
from helpers.llama_server import llama_server

from fmerl.supervision.answers import MODES, AnswerError, Mode
from fmerl.supervision.labels import read_labels_of
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.endpoint import Endpoint, EndpointClient
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.asking.pipeline import WorkerPool
from fmerl_platform.asking.question import Decoding, Questions
from fmerl_platform.asking.reply import Reply
from fmerl_platform.labelling.request import LabelRequest
from fmerl_platform.labelling.run import label_corpus

pytestmark = pytest.mark.slow

TEXTS = ["I love this!", "Leave me alone.", "Oh my God, he is dead.", "Okay.", "What a lovely day.", "I hate you!"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with llama_server() as address:
        yield address


@pytest.fixture(autouse=True)
def environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize("mode", MODES)
def test_every_decoding_is_answered(mode: Mode) -> None:
    async def ask() -> Reply:
        client = EndpointClient(Endpoint.from_environment(120.0))
        try:
            return await client.send(call, 0)
        finally:
            await client.close()

    questions = Questions(model="smollm2", prompts=PromptConfig(), decoding=Decoding(mode=mode))
    call = questions.score("I love this!", "valence")
    reply = asyncio.run(ask())
    assert reply.model == "smollm2"
    assert reply.tokens is not None
    assert reply.tokens.prompt > 20
    assert (reply.answer.first_token is not None) == (mode == "logprobs")
    if mode == "schema":
        assert '"score"' in reply.answer.text
        assert isinstance(call.read(reply.answer), float), "llama.cpp holds an enumeration of whole scores"
    with suppress(AnswerError):  # what so small a model says may be no score; that it is read is what counts
        value = call.read(reply.answer)
        assert isinstance(value, float)
        assert 0 <= value <= 5


@pytest.mark.usefixtures("local_ray")
def test_label_set(make_request: Callable[..., LabelRequest]) -> None:
    corpus = talk(TEXTS * 2, turns=2)
    pool = WorkerPool(workers=2, concurrency=2)
    request = make_request(corpus, model="smollm2", decoding="auto", retest=2, timeout=120.0, pool=pool)
    done = label_corpus(request)
    labels = read_labels_of(request.labels, corpus) if not done.drafts.problems else None
    assert done.quality.utterances == 10
    assert done.quality.labelled + sum(done.quality.errors.values()) == 10
    assert done.quality.labelled > 0
    assert done.quality.usage.models == {"smollm2": done.quality.usage.answers}
    assert done.quality.usage.requests_failed == 0
    assert labels is None or labels.labelled.sum() == done.quality.labelled
    before = sum(map(len, JournalReader(request.journal).entries.values()))
    again = label_corpus(request)
    assert sum(map(len, JournalReader(request.journal).entries.values())) == before
    assert again.quality.errors == done.quality.errors
