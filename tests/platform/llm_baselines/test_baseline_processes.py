"""A driver really killed by SIGKILL, and a real server: nothing that was answered is asked twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from helpers.labelling_endpoint import FakeEndpoint
from helpers.llama_server import llama_server
from helpers.processes import start, succeed, wait_until

from fmerl.corpus import Corpus, write_corpus
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.asking.pipeline import WorkerPool
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.llm_baselines.models import LanguageModel
from fmerl_platform.llm_baselines.request import BaselineRequest
from fmerl_platform.llm_baselines.run import run_baselines

IN_FLIGHT, CALLS = 8, 160

pytestmark = pytest.mark.slow


def test_killed_driver_pays_for_nothing_twice(
    endpoint: FakeEndpoint, make_corpus: Callable[[int, int], Corpus], tmp_path: Path
) -> None:
    endpoint.delay = 0.1
    write_corpus(make_corpus(42, 40), tmp_path / "corpus")
    log, runs = tmp_path / "log", tmp_path / "runs"
    arguments: list[str | Path] = ["--corpus", tmp_path / "corpus", "--model", "small", "--seeds", "0", "--shots", "1"]
    arguments += ["--decoding", "text", "--storage", runs, "--concurrency", str(IN_FLIGHT)]
    ask = partial(start, "llm_baselines.py", log, *arguments)
    driver = ask()
    wait_until(lambda: len(endpoint.requests) >= CALLS // 3, driver, log)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert Experiment.existing(runs, "llm-baselines").find(level="seed") == []
    succeed(ask(), log)
    entries = JournalReader(runs / "llm-baselines" / "talk" / "journal").entries
    assert len(entries) == CALLS
    assert all(len(found) == 1 for found in entries.values()), "an answer that was kept was asked for again"
    assert CALLS <= len(endpoint.requests) <= CALLS + IN_FLIGHT, "more was repeated than was in flight"
    [run] = Experiment.existing(runs, "llm-baselines").find(level="seed")
    assert run.data.metrics["test_accuracy"] == 1
    before = len(endpoint.requests)
    succeed(ask(), log)
    assert len(endpoint.requests) == before


@pytest.mark.usefixtures("local_ray")
def test_a_real_server_is_asked_by_schema(
    make_request: Callable[..., BaselineRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with llama_server() as url:
        model = LanguageModel(name="SmolLM2", id="smollm2", parameters=135e6, base_url=url)
        request = make_request(
            models=(model,), decoding="auto", timeout=120.0, limit=8, pool=WorkerPool(workers=2, concurrency=2)
        )
        [run] = run_baselines(request).runs
        assert (
            Experiment.existing(request.storage, request.study).client().get_run(run.run_id).data.params["mode"]
            == "schema"
        )
        assert run.metrics["test_unanswered"] == 0, "a grammar lets no other name through"
        assert run.metrics["prompt_tokens"] > 8 * 20
        before = len(JournalReader(request.journal).entries)
        [again] = run_baselines(request).runs
        assert again.run_id == run.run_id
        assert len(JournalReader(request.journal).entries) == before == 8
