"""Batches against an endpoint that charges: kills at each stage, batches that end early, and what is asked again."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from helpers.batch_endpoint import STAGES, BatchEndpoint, Fate
from helpers.labelling_endpoint import SENTINEL, completion, prompt_of, right_answer, true_score
from hypothesis import given
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.asker import Answered, RetryPolicy
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.asking.batch.lines import MOST_BYTES, MOST_REQUESTS, files_of, read_lines
from fmerl_platform.asking.batch.sending import BatchPolicy
from fmerl_platform.asking.batch.store import BatchStore
from fmerl_platform.asking.cost import left_to_ask
from fmerl_platform.asking.endpoint import Endpoint, RequestFailedError
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.asking.limiter import Limits
from fmerl_platform.asking.pipeline import WorkerPool
from fmerl_platform.asking.plan import CallPlan, ask_plan
from fmerl_platform.asking.prices import Price, Tokens
from fmerl_platform.asking.question import Call, Decoding, Questions
from fmerl_platform.asking.worker import WorkerConfig

POLICY = BatchPolicy(first_poll=0.01, last_poll=0.01, settle=0.02)
PRICE = Price(prompt=0.001, completion=0.01, currency="EUR")


@dataclass(frozen=True)
class Plan(CallPlan):
    texts: int

    @property
    def calls(self) -> Mapping[str, Call]:
        questions = Questions(model="judge", prompts=PromptConfig(), decoding=Decoding(mode="text"))
        return {(call := questions.score(f"say {row}", "valence")).key: call for row in range(self.texts)}


def config(folder: Path, tries: int = 4) -> WorkerConfig:
    return WorkerConfig(
        endpoint=Endpoint.from_environment(5.0),
        journal=folder,
        price=PRICE,
        retries=RetryPolicy(backoff=Backoff(first_seconds=0.001, most_seconds=0.005, tries=tries)),
        concurrency=1,
    )


def ask(
    folder: Path, texts: int = 12, policy: BatchPolicy = POLICY, limits: Limits | None = None, tries: int = 4
) -> dict[str, Answered]:
    return ask_plan(Plan(texts), config(folder, tries), limits or Limits(), WorkerPool(workers=1), batches=policy)


def check_right(outcomes: Mapping[str, Answered], texts: int = 12) -> None:
    """Every call has the score of its own prompt."""
    wanted = {key: true_score(prompt_of(call.body)) for key, call in Plan(texts).calls.items()}
    assert {key: outcome.value for key, outcome in outcomes.items()} == wanted


def check_paid_once(server: BatchEndpoint, folder: Path, texts: int = 12) -> None:
    """Every request was charged for once, in a batch or directly, and the journal holds its answer once."""
    direct = {json.dumps(body, sort_keys=True) for body in server.requests}
    paid = server.charged + Counter(
        key for key, call in Plan(texts).calls.items() if json.dumps(call.body, sort_keys=True) in direct
    )
    assert paid == dict.fromkeys(Plan(texts).calls, 1)
    entries = JournalReader(folder).entries
    assert {key: len([e for e in found if e.answer]) for key, found in entries.items()} == paid


def kill_at(server: BatchEndpoint, stage: str, nth: int, folder: Path, policy: BatchPolicy = POLICY) -> None:
    """Really kill a process that asks, as it reaches a stage for the nth time."""
    process = multiprocessing.get_context("fork").Process(target=ask, args=(folder, 12, policy))

    def kill(reached: str) -> bool:
        if reached != stage or server.reached.count(stage) != nth:
            return False
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        return True

    server.at = kill
    process.start()
    process.join(60)
    server.at = lambda reached: False
    assert process.exitcode == -signal.SIGKILL, server.reached


def half(body: dict[str, Any], row: int) -> Any:
    return (200, completion(right_answer(body))) if row % 2 else None


def test_a_batch_is_asked_and_read(server: BatchEndpoint, tmp_path: Path) -> None:
    seen = []

    class Count:
        def __enter__(self) -> Count:
            return self

        def __exit__(self, *_: object) -> None: ...

        def ended(self, count: int, faults: int) -> None:
            seen.append((count, faults))

    outcomes = ask_plan(
        Plan(12), config(tmp_path), Limits(), WorkerPool(workers=1), lambda *about: Count(), batches=POLICY
    )
    check_right(outcomes)
    check_paid_once(server, tmp_path)
    assert len(server.requests) == 1, "one request goes first and directly: a wrong key shows at once"
    assert sum(count for count, _ in seen) == 11
    [batch] = server.batches.values()
    assert {"model", "messages", "max_tokens"} <= server.requests_of(batch)[0]["body"].keys()
    assert BatchStore(tmp_path).open() == []
    assert list((tmp_path / "batches").glob("*.jsonl")) == [], "what is in the journal is kept once"
    again = ask(tmp_path)
    assert (again, len(server.batches), len(server.requests)) == (outcomes, 1, 1)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("files", [1, 3])
def test_killed_at_any_stage_pays_for_nothing_twice(
    server: BatchEndpoint, tmp_path: Path, stage: str, files: int
) -> None:
    """A process is really killed as the endpoint reaches the stage, in the first batch or a later one."""
    server.fates = [Fate(status="expired", execute=half)]
    policy = BatchPolicy(most_requests=12 // files, first_poll=0.01, last_poll=0.01, settle=0.02)
    kill_at(server, stage, 1 if stage in ("errors", "look") else min(files, 2), tmp_path, policy)
    check_right(ask(tmp_path, policy=policy))
    check_paid_once(server, tmp_path)


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("status", ["expired", "completed"])
def test_what_is_missing_is_asked_again_and_nothing_else(
    server: BatchEndpoint, tmp_path: Path, status: str, silent: bool
) -> None:
    server.fates = [Fate(status=status, execute=half, silent=silent)]
    check_right(ask(tmp_path))
    check_paid_once(server, tmp_path)
    assert [len(server.requests_of(batch)) for batch in server.batches.values()] == [11, 6]


def test_a_cancelled_batch_is_left_until_the_command_is_run_again(server: BatchEndpoint, tmp_path: Path) -> None:
    server.fates = [Fate(status="cancelled", execute=half)]
    outcomes = ask(tmp_path)
    missing = [outcome for outcome in outcomes.values() if outcome.error is not None]
    assert (len(missing), len(server.batches)) == (6, 1)
    assert all(outcome.passing for outcome in missing)
    check_right(ask(tmp_path))
    check_paid_once(server, tmp_path)


def test_a_batch_that_fails_is_sent_once_more_and_then_ends_the_run(server: BatchEndpoint, tmp_path: Path) -> None:
    bad = Fate(status="failed", error={"code": "model_not_found", "message": f"no judge for {SENTINEL}", "line": 1})
    server.fates = [bad]
    check_right(ask(tmp_path))
    check_paid_once(server, tmp_path)
    server.fates = [Fate(), Fate(), bad, bad]
    with pytest.raises(RequestFailedError, match=r"model_not_found: no judge for \[API key\]") as caught:
        ask(tmp_path, 20)
    assert caught.value.hopeless
    assert SENTINEL not in str(caught.value)
    check_right(ask(tmp_path, 20), 20)
    check_paid_once(server, tmp_path, 20)


def test_a_full_queue_is_asked_for_less_at_once(server: BatchEndpoint, tmp_path: Path) -> None:
    full = Fate(status="failed", error={"code": "token_limit_exceeded", "message": "Enqueued token limit reached"})
    server.fates = [full, full]
    check_right(ask(tmp_path))
    check_paid_once(server, tmp_path)
    assert [len(server.requests_of(batch)) for batch in server.batches.values()] == [11, 6, 3, 3, 3, 2]


def test_answers_that_cannot_be_read_are_asked_again_warmer(server: BatchEndpoint, tmp_path: Path) -> None:
    def unsure(body: dict[str, Any], row: int) -> Any:
        return 200, completion("2 or 3" if body["temperature"] == 0 else right_answer(body))

    server.fates = [Fate(execute=unsure), Fate(execute=unsure)]
    check_right(ask(tmp_path))
    assert {body["body"]["temperature"] for body in server.requests_of(server.batches["batch_1"])} == {0.7}
    assert len(server.batches) == 2


def test_refused_requests_are_errors_and_a_refused_field_is_sent_otherwise(
    server: BatchEndpoint, tmp_path: Path
) -> None:
    def strict(body: dict[str, Any], row: int) -> Any:
        if "max_tokens" in body:
            return 400, {"error": {"message": "max_tokens is not supported, send another", "param": "max_tokens"}}
        if prompt_of(body).count("say 3"):
            return 400, {"error": {"message": "context length", "code": "too_long"}}
        return 200, completion(right_answer(body))

    server.fates = [Fate(execute=strict)] * 2
    outcomes = ask(tmp_path)
    errors = [outcome.error for outcome in outcomes.values() if outcome.error]
    assert errors == ["request failed: HTTP 400: too_long context length"]
    assert len(server.batches) == 2
    assert max(server.charged.values()) == 1


def test_a_refusal_of_every_request_ends_the_run(server: BatchEndpoint, tmp_path: Path) -> None:
    server.handler = lambda request, body, number: None
    ask(tmp_path / "other", 1)
    server.fates = [Fate(execute=lambda body, row: (401, {"error": {"message": "wrong key"}}))]
    with pytest.raises(RequestFailedError, match="wrong key"):
        ask(tmp_path)


def test_requests_that_fail_in_every_batch_are_given_up(server: BatchEndpoint, tmp_path: Path) -> None:
    def busy(body: dict[str, Any], row: int) -> Any:
        if prompt_of(body).count("say 3"):
            return 503, {"error": {"message": "overloaded"}}
        return 200, completion(right_answer(body))

    server.fates = [Fate(execute=busy)] * 9
    outcomes = ask(tmp_path, tries=3)
    [failed] = [outcome for outcome in outcomes.values() if outcome.error]
    assert (failed.error, failed.passing) == ("request failed: HTTP 503: overloaded", True)
    assert len(server.batches) == 3


def test_a_bad_endpoint_shows_at_once(server: BatchEndpoint, tmp_path: Path) -> None:
    from aiohttp import web

    server.handler = lambda request, body, number: web.json_response({"error": {"message": "bad key"}}, status=401)
    with pytest.raises(RequestFailedError, match="bad key"):
        ask(tmp_path)
    assert (server.batches, server.files) == ({}, {})


def test_calls_in_a_batch_are_not_asked_directly(server: BatchEndpoint, tmp_path: Path) -> None:
    kill_at(server, "look", 1, tmp_path)
    with pytest.raises(InputError, match="--batch: 11 of 11 calls to make are in batches"):
        ask_plan(Plan(12), config(tmp_path), Limits(), WorkerPool(workers=1))
    told = left_to_ask(Plan(14), 14, JournalReader(tmp_path), PRICE, 3)
    assert (told.calls, told.in_batches, told.answered) == (2, 11, 1)
    assert any("11 calls more are in batches sent before" in line for line in told.lines())
    check_right(ask(tmp_path, 14), 14)
    check_paid_once(server, tmp_path, 14)


def test_a_batch_is_looked_for_where_it_was_sent(
    server: BatchEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_at(server, "look", 1, tmp_path)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(InputError, match=r"OPENAI_BASE_URL: 11 of these requests are in a batch .*127.0.0.1"):
        ask(tmp_path)


def test_an_endpoint_that_lists_no_batches_leaves_the_doubt_to_the_user(server: BatchEndpoint, tmp_path: Path) -> None:
    server.can_list = False
    kill_at(server, "created", 1, tmp_path)
    with pytest.raises(RequestFailedError, match=r"write its id as batch_id into .*\.json, or delete that file"):
        ask(tmp_path)
    assert len(server.batches) == 1


def test_a_batch_is_found_behind_those_of_others(server: BatchEndpoint, tmp_path: Path) -> None:
    kill_at(server, "created", 1, tmp_path)
    [own] = server.batches.values()
    for number in range(1, 6):
        fields = {**own.fields, "id": f"batch_{number}", "input_file_id": "file_x", "metadata": None}
        server.batches[f"batch_{number}"] = replace(own, fields={**fields, "created_at": 2**31 + number})
    check_right(ask(tmp_path))
    check_paid_once(server, tmp_path)
    assert len(server.batches) == 6, "another batch was created"


def test_a_creation_that_fails_after_the_fact_creates_nothing_more(server: BatchEndpoint, tmp_path: Path) -> None:
    server.at = lambda stage: stage == "created" and server.reached.count(stage) == 1
    check_right(ask(tmp_path))
    check_paid_once(server, tmp_path)
    assert len(server.batches) == 1


def test_the_budget_bounds_what_is_sent(server: BatchEndpoint, tmp_path: Path) -> None:
    limits = Limits(budget=1.8)
    outcomes = ask(tmp_path, 40, limits=limits)
    answered = [outcome for outcome in outcomes.values() if outcome.value is not None]
    assert 5 < len(answered) < 40
    assert {outcome.error for outcome in outcomes.values()} == {None, "not asked: the budget is reached"}
    spent = Plan(40).cost(JournalReader(tmp_path), PRICE)
    assert spent == pytest.approx(0.12 + (len(answered) - 1) * 0.06), "in batches it costs half"
    assert spent <= 1.8


def test_direct_and_batched_costs_stand_side_by_side() -> None:
    price = Price(prompt=1, completion=10, cached=0.1, batch=0.25, currency="EUR")
    assert price.cost(Tokens(100, 1, cached=50)) == 50 + 5 + 10
    assert price.cost(Tokens(100, 1, cached=50), in_batch=True) == 65 / 4


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=40), st.integers(1, 7), st.integers(9, 30))
def test_files_keep_to_the_limits(lines: list[bytes], requests: int, size: int) -> None:
    named = [(str(row), line) for row, line in enumerate(lines)]
    files = list(files_of(named, requests, size))
    assert [item for file in files for item in file] == named
    assert all(len(file) <= requests and sum(len(line) for _, line in file) <= size for file in files)
    for file, following in itertools.pairwise(files):
        full = len(file) == requests or sum(len(line) for _, line in (*file, following[0])) > size
        assert full, "no file is smaller than it need be"
    assert (MOST_REQUESTS, MOST_BYTES) == (50_000, 200_000_000)


@given(st.text() | st.text().map(json.dumps) | st.lists(st.integers()).map(json.dumps))
def test_odd_lines_are_passed_over(text: str) -> None:
    assert list(read_lines(text)) == []
