"""Endpoints that fail in every way at 30 % of requests: the label set comes out complete, and right."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from helpers.labelling_endpoint import FakeEndpoint, completion, prompt_of, right_answer, talk, true_score

from fmerl.config import DIMENSIONS
from fmerl.supervision.labels import read_labels_of
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.asker import RetryPolicy
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.asking.pipeline import WorkerPool
from fmerl_platform.labelling.request import LabelRequest
from fmerl_platform.labelling.run import label_corpus

MakeRequest = Callable[..., LabelRequest]

FAULTS = ("429 seconds", "429 date", "500", "time-out", "cut", "malformed", "wrong schema", "slow")


class Faults:
    """A handler that fails at a share of requests, each fault as often, in an order that its seed decides."""

    def __init__(self, share: float, seed: int = 0) -> None:
        self._share, self._draw = share, random.Random(seed)
        self.met: dict[str, int] = dict.fromkeys(FAULTS, 0)

    async def __call__(self, request: web.Request, body: dict[str, Any], number: int) -> web.StreamResponse | None:
        if self._draw.random() >= self._share:
            return None
        fault = self._draw.choice(FAULTS)
        self.met[fault] += 1
        match fault:
            case "429 seconds":
                return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "1"})
            case "429 date":
                soon = formatdate(time.time() + 1, usegmt=True)
                return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": soon})
            case "500":
                return web.Response(status=500, text="<html>oops</html>")
            case "time-out":
                await asyncio.sleep(30)
                return None
            case "malformed":
                return web.Response(text='{"choices": [{"mess', content_type="application/json")
            case "wrong schema":
                return web.json_response({"object": "list", "data": []})
        return await _dripped(request, body, whole=fault == "slow")


async def _dripped(request: web.Request, body: dict[str, Any], whole: bool) -> web.StreamResponse:
    """A body in pieces; one that is cut breaks off in the middle."""
    payload = web.json_response(completion(right_answer(body))).body
    assert isinstance(payload, bytes)
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(payload))})
    await response.prepare(request)
    for start in range(0, len(payload), len(payload) // 4 + 1):
        await response.write(payload[start : start + len(payload) // 4 + 1])
        await asyncio.sleep(0.1)
        if not whole and request.transport is not None:
            request.transport.abort()
            break
    return response


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_2000_utterances_come_out_complete(endpoint: FakeEndpoint, make_request: MakeRequest) -> None:
    endpoint.handler = faults = Faults(0.3)
    corpus = talk([f"utterance number {row}" for row in range(2000)])
    request = make_request(
        corpus,
        splits=("train", "validation", "test"),
        prompts=PromptConfig(dimensions=("valence",)),
        timeout=20.0,  # more than a loaded machine takes
        pool=WorkerPool(workers=2, concurrency=64),
        retries=RetryPolicy(backoff=Backoff(first_seconds=0.05, most_seconds=0.5, tries=12)),
    )
    done = label_corpus(request)
    assert min(faults.met.values()) > 50, "a kind of fault was hardly met"
    assert done.quality.errors == {}
    assert done.complete(0.0)
    calls = request.plan("text").calls
    assert set(endpoint.asked()) == {prompt_of(call.body) for call in calls.values()}
    failed = sum(count for fault, count in faults.met.items() if fault != "slow")
    assert len(endpoint.requests) == len(calls) + failed, "each fault costs one more request, and nothing else does"


@pytest.mark.usefixtures("local_ray")
def test_scores_are_those_of_their_own_utterances(endpoint: FakeEndpoint, make_request: MakeRequest) -> None:
    endpoint.handler = Faults(0.3, seed=1)
    corpus = talk([f"Say {row // 2} {{twice}}!" for row in range(60)])
    request = make_request(
        corpus, timeout=1.0, retries=RetryPolicy(backoff=Backoff(first_seconds=0.05, most_seconds=0.5, tries=12))
    )
    done = label_corpus(request)
    assert (done.quality.utterances, done.quality.errors) == (56, {})
    labels = read_labels_of(request.labels, corpus)
    wanted = [
        [true_score(request.prompts.score(name, utterance.text)[0]["content"]) for name in DIMENSIONS]
        for utterance in corpus.utterances()
    ]
    np.testing.assert_array_equal(labels.vad[:56], np.array(wanted, dtype=np.float32)[:56])
    assert labels.errors[56:] == ("no row in vad.parquet",) * 4, "the test split is left alone unless asked for"
    assert set(labels.descriptions) == {"joy", "anger"}
