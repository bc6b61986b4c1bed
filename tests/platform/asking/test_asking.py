"""One call, from the request to the outcome: what is tried again, what is not, and how often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from helpers.labelling_endpoint import FakeEndpoint, completion, prompt_of

from fmerl.supervision.answers import Answer, Mode
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.asker import Answered, Asker, RetryPolicy, answer_from_journal
from fmerl_platform.asking.backoff import Backoff, retry_after_seconds
from fmerl_platform.asking.endpoint import Endpoint, EndpointClient, RequestFailedError
from fmerl_platform.asking.journal import JournalReader, JournalWriter
from fmerl_platform.asking.limiter import Grants, Leases, Limiter, Limits, Reservation, Usage
from fmerl_platform.asking.prices import Price
from fmerl_platform.asking.question import Call, Decoding, Questions

RETRIES = RetryPolicy(backoff=Backoff(first_seconds=0.01, most_seconds=0.05, tries=4))


def call_of(text: str, mode: Mode = "text") -> Call:
    return Questions(model="judge", prompts=PromptConfig(), decoding=Decoding(mode=mode)).score(text, "valence")


def ask(
    folder: Path, calls: Sequence[Call], limits: Limits | None = None, price: Price | None = None, timeout: float = 2.0
) -> list[Answered]:
    """Outcomes of calls that are asked at once, four in flight."""

    async def run() -> list[Answered]:
        limiter = Limiter(limits or Limits())

        async def exchange(needs: list[Reservation], used: list[Usage]) -> Grants:
            return limiter.exchange(needs, used)

        client, writer = EndpointClient(Endpoint.from_environment(timeout)), JournalWriter(folder)
        asker = Asker(client, Leases(exchange), writer, price or Price(), RETRIES, 4)
        try:
            return await asyncio.gather(*(asker.ask(call, []) for call in calls))
        finally:
            await client.close()
            writer.close()

    return asyncio.run(run())


def saying(*texts: str) -> Any:
    """Answers in turn."""
    return lambda request, body, number: web.json_response(completion(texts[min(number, len(texts)) - 1]))


def test_unreadable_answers_are_asked_again_warmer_and_all_are_kept(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    endpoint.handler = saying("Well.", "3 or 4", "Score: 2")
    [outcome] = ask(tmp_path, [call := call_of("Oh!")])
    assert (outcome.value, outcome.error) == (2.0, None)
    assert [body["temperature"] for body in endpoint.requests] == [0, 0.7, 0.7]
    assert [answer.text for answer in JournalReader(tmp_path).answers(call.key)] == ["Well.", "3 or 4", "Score: 2"]


def test_patience_ends_in_the_last_fault(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    endpoint.handler = saying("I cannot do that.")
    [outcome] = ask(tmp_path, [call_of("Oh!")])
    assert outcome.value is None
    assert outcome.error == "refusal: 'I cannot do that.'"
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize(("status", "requests"), [(400, 1), (422, 1), (408, 4), (429, 4), (500, 4), (501, 1), (503, 4)])
def test_statuses(endpoint: FakeEndpoint, tmp_path: Path, status: int, requests: int) -> None:
    endpoint.handler = lambda request, body, number: web.json_response({"error": {"message": "no"}}, status=status)
    [outcome] = ask(tmp_path, [call_of("Oh!")])
    assert outcome.error is not None
    assert outcome.error.startswith(f"request failed: HTTP {status}: ")
    assert len(endpoint.requests) == requests


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_hopeless_statuses_end_the_run(endpoint: FakeEndpoint, tmp_path: Path, status: int) -> None:
    endpoint.handler = lambda request, body, number: web.json_response({"error": {"message": "no"}}, status=status)
    with pytest.raises(RequestFailedError) as caught:
        ask(tmp_path, [call_of("Oh!")])
    assert caught.value.hopeless
    assert len(endpoint.requests) == 1


def test_refusal_of_one_input_is_that_rows_error(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    def moderated(request: web.Request, body: dict[str, Any], number: int) -> web.Response | None:
        if "hate" not in prompt_of(body):
            return None
        fields = {"code": 403, "message": "this input was flagged", "metadata": {"reasons": ["violence"]}}
        return web.json_response({"error": fields}, status=403)

    endpoint.handler = moderated
    outcomes = ask(tmp_path, [call_of(f"I hate row {row}") for row in range(8)] + [call_of("I like rows")])
    assert [outcome.error is None for outcome in outcomes] == [False] * 8 + [True]
    assert outcomes[0].error is not None
    assert "this input was flagged" in outcomes[0].error


def test_same_refusal_of_every_call_ends_the_run(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    refused = {"error": {"message": "no such model family"}}
    endpoint.handler = lambda request, body, number: web.json_response(refused, status=400)
    with pytest.raises(RequestFailedError, match="no such model family") as caught:
        ask(tmp_path, [call_of(f"row {row}") for row in range(40)])
    assert caught.value.hopeless
    assert len(endpoint.requests) < 12


def test_empty_answers_are_paid_once_and_stand(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    def thoughts_only(request: web.Request, body: dict[str, Any], number: int) -> web.Response:
        reply = completion("")
        reply["choices"][0] |= {"message": {"role": "assistant"}, "finish_reason": "length"}
        return web.json_response(reply)

    endpoint.handler = thoughts_only
    [outcome] = ask(tmp_path, [call := call_of("Oh!")])
    assert (outcome.error, outcome.passing) == ("empty: no text before the answer was cut off", False)
    assert len(endpoint.requests) == 3
    assert answer_from_journal(call, JournalReader(tmp_path).answers(call.key), 3) == outcome


def test_slow_drip_does_not_outlast_the_timeout(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    async def drip(request: web.Request, body: object, number: int) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    endpoint.handler = drip
    start = time.monotonic()
    [outcome] = ask(tmp_path, [call_of("Oh!")], timeout=0.3)
    assert outcome.error == "request failed: no answer within 0.3 s"
    assert time.monotonic() - start < 4 * 0.3 + 2


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(endpoint: FakeEndpoint, tmp_path: Path, as_date: bool) -> None:
    times = []

    def busy_once(request: web.Request, body: object, number: int) -> web.Response | None:
        times.append(time.time())
        if number > 1:
            return None
        after = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
        return web.json_response({"error": {"message": "busy"}}, status=429, headers={"Retry-After": after})

    endpoint.handler = busy_once
    [outcome] = ask(tmp_path, [call_of("Oh!")])
    assert outcome.error is None
    assert times[1] - times[0] >= 1, "dates are whole seconds, so 2 s from now is at least 1 s away"


def test_retry_after_in_milliseconds_goes_first() -> None:
    assert retry_after_seconds({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert retry_after_seconds({"retry-after-ms": "soon", "retry-after": "1"}) == 1


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "Wed, 99 Foo"])
def test_unreadable_retry_after_is_none(value: str) -> None:
    assert retry_after_seconds({"retry-after": value}) is None


def test_backoff_doubles_up_to_its_end() -> None:
    backoff = Backoff(first_seconds=1, most_seconds=8)
    longest = [max(backoff.seconds(failures, None) for _ in range(500)) for failures in range(1, 7)]
    for seconds, most in zip(longest, (1, 2, 4, 8, 8, 8), strict=True):
        assert 0.9 * most < seconds <= most
    assert 30 <= backoff.seconds(1, 30.0) <= 31


def test_requests_in_flight_keep_to_the_slots(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    endpoint.delay = 0.05
    ask(tmp_path, [call_of(f"utterance {row}") for row in range(20)])
    assert endpoint.most_at_once == 4


def test_budget_stops_before_it_is_exceeded_and_keeps_what_was_paid(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    price, budget = Price(prompt=0.01, completion=0.05, currency="EUR"), 10.0
    calls = [call_of(f"utterance {row}") for row in range(40)]
    outcomes = ask(tmp_path, calls, Limits(budget=budget), price)
    spent = len(endpoint.requests) * (40 * 0.01 + 8 * 0.05)
    assert budget - 4 < spent <= budget, "one call is bounded by less than 4, so no more may be left"
    answered = [outcome for outcome in outcomes if outcome.error is None]
    assert len(answered) == len(endpoint.requests) == len(JournalReader(tmp_path).entries) < len(calls)
    assert {outcome.error for outcome in outcomes} == {None, "not asked: the budget is reached"}


def test_requests_per_minute_hold(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    start = time.monotonic()
    ask(tmp_path, [call_of(f"utterance {row}") for row in range(6)], Limits(requests_per_minute=300))
    assert time.monotonic() - start >= 5 * 60 / 300


def test_logprobs_and_schema_are_asked_for_and_read(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    candidates = [{"token": "3", "logprob": -0.6931}, {"token": "4", "logprob": -0.6931}]

    def answer(request: web.Request, body: dict[str, Any], number: int) -> web.Response:
        reply = completion('{"score": 1}' if "response_format" in body else "3")
        if body.get("logprobs"):
            first = {"token": "3", "logprob": -0.6931, "top_logprobs": candidates}
            reply["choices"][0]["logprobs"] = {"content": [first]}
        return web.json_response(reply)

    endpoint.handler = answer
    schema, logprobs = ask(tmp_path, [call_of("Oh!", "schema"), call_of("Oh!", "logprobs")])
    assert schema.value == 1
    assert logprobs.value == pytest.approx(3.5)
    [asked] = [body for body in endpoint.requests if "logprobs" in body]
    assert (asked["max_tokens"], asked["top_logprobs"]) == (1, 20)


def test_key_tells_all_that_decides_an_answer() -> None:
    base = Questions(model="m", prompts=PromptConfig(), decoding=Decoding(mode="text"))
    changed = [
        base.decoded("schema"),
        replace(base, model="n"),
        replace(base, prompts=PromptConfig(system="s")),
        replace(base, prompts=PromptConfig(scale=(1, 5))),
        replace(base, decoding=Decoding(mode="text", temperature=1)),
    ]
    others = [base.score("b", "valence"), base.score("a", "arousal"), base.score("a", "valence", repeat=1)]
    others += [questions.score("a", "valence") for questions in changed]
    assert len({call.key for call in (base.score("a", "valence"), *others)}) == 9
    assert base.score("a", "valence") == base.score("a", "valence")
    assert Call.unpack(others[0].pack()) == others[0]
    assert others[0].read(Answer(text="2")) == 2
