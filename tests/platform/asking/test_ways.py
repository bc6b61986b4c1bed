"""Endpoints with ways of their own: a refusal that names a field is obeyed once and remembered, in every decoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from helpers.labelling_endpoint import FakeEndpoint, completion

from fmerl.supervision.answers import Mode
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.asker import RetryPolicy
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.asking.decoding import ask_decoding
from fmerl_platform.asking.endpoint import Endpoint, RequestFailedError
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.asking.limiter import Limits
from fmerl_platform.asking.prices import Price
from fmerl_platform.asking.question import Call, Decoding, Questions
from fmerl_platform.asking.ways import Refusal, Ways
from fmerl_platform.asking.worker import WorkerConfig


def first(mode: Mode) -> Call:
    return Questions(model="judge", prompts=PromptConfig(), decoding=Decoding(mode=mode)).score("Oh!", "valence")


def probe(folder: Path) -> Mode:
    config = WorkerConfig(
        endpoint=Endpoint.from_environment(5.0),
        journal=folder,
        price=Price(),
        retries=RetryPolicy(backoff=Backoff(first_seconds=0.01, tries=4)),
        concurrency=1,
    )
    return ask_decoding(("logprobs", "schema"), first, config, Limits())


def answered(body: dict[str, Any]) -> web.Response:
    """A right answer in any decoding."""
    reply = completion('{"score": 3}' if "response_format" in body else "3")
    if "logprobs" in body:
        candidates = [{"token": "3", "logprob": -0.01}]
        reply["choices"][0]["logprobs"] = {"content": [{"token": "3", "logprob": -0.01, "top_logprobs": candidates}]}
    return web.json_response(reply)


def error(status: int, message: str, **fields: Any) -> web.Response:
    return web.json_response({"error": {"message": message, **fields}}, status=status)


@pytest.mark.parametrize("param", [{}, {"param": "max_tokens", "code": "unsupported_parameter"}])
def test_refused_fields_are_sent_otherwise_once_and_remembered(
    endpoint: FakeEndpoint, tmp_path: Path, param: dict[str, str]
) -> None:
    def modern(request: web.Request, body: dict[str, Any], number: int) -> web.Response:
        if "max_tokens" in body:
            return error(400, "max_tokens is not supported by this model; send max_completion_tokens", **param)
        if body.get("temperature", 1) != 1:
            return error(400, "temperature: only the default (1) is supported")
        return answered(body)

    endpoint.handler = modern
    assert probe(tmp_path) == "logprobs"
    assert len(endpoint.requests) == 3
    sent = endpoint.requests[-1]
    assert (sent["max_completion_tokens"], "temperature" in sent) == (1, False)
    ways = JournalReader(tmp_path).ways([first("logprobs").key])
    assert ways == Ways(completion_tokens=True, fixed_temperature=True)
    assert probe(tmp_path) == "logprobs"
    assert len(endpoint.requests) == 3, "the journal knows"


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(status=400, field="temperature", words="temperature must be between 0 and 2"),
        Refusal(status=400, field="messages", words="max_tokens and messages do not fit together; not supported"),
        Refusal(status=429, field="max_tokens", words="max_tokens is not supported"),
        Refusal(status=400, field="", words="context length"),
    ],
)
def test_other_refusals_teach_nothing(refusal: Refusal) -> None:
    assert Ways().obey(refusal) == Ways()


def test_candidates_that_are_null_lead_to_the_next_decoding(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    def proxy(request: web.Request, body: dict[str, Any], number: int) -> web.Response:
        if "logprobs" not in body:
            return answered(body)
        reply = completion("3")
        reply["choices"][0]["logprobs"] = {"content": [{"token": "3", "logprob": -0.1, "top_logprobs": None}]}
        return web.json_response(reply)

    endpoint.handler = proxy
    assert probe(tmp_path) == "schema"
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("optional", [("logprobs",), ("logprobs", "response_format")])
@pytest.mark.parametrize("status", [200, 404, 500, 501])
def test_breaking_over_an_optional_part_leads_to_the_next_decoding(
    endpoint: FakeEndpoint, tmp_path: Path, status: int, optional: tuple[str, ...]
) -> None:
    def stumbling(request: web.Request, body: dict[str, Any], number: int) -> web.Response:
        if any(part in body for part in optional):
            return web.Response(status=status, text="Internal Server Error")
        return answered(body)

    endpoint.handler = stumbling
    wanted = "schema" if len(optional) == 1 else "text"
    assert probe(tmp_path) == wanted
    asked = len(endpoint.requests)
    assert asked <= 1 + 3 * len(optional)
    assert probe(tmp_path) == wanted
    assert len(endpoint.requests) == asked, "the journal knows"


@pytest.mark.parametrize(
    ("status", "body", "requests"),
    [
        (401, '{"error": {"message": "wrong key"}}', 1),
        (404, '{"error": {"message": "wrong key"}}', 3),
        (200, f'{{"error": {{"message": "wrong key{", once more" * 30}", "code": "insufficient_quota"}}}}', 1),
        (200, "<html>wrong key</html>", 9),
    ],
)
def test_endpoint_that_answers_in_no_decoding_is_told_in_its_own_words(
    endpoint: FakeEndpoint, tmp_path: Path, status: int, body: str, requests: int
) -> None:
    endpoint.handler = lambda request, asked, number: web.Response(status=status, text=body)
    with pytest.raises(RequestFailedError, match="wrong key"):
        probe(tmp_path)
    assert len(endpoint.requests) == requests
