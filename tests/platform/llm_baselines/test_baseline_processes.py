"""A driver really killed by SIGKILL, and a real server: nothing that was answered is asked twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.labelling_endpoint import FakeEndpoint
from helpers.llama_server import llama_server
from helpers.repository import EXPERIMENTS, REPOSITORY

from fmerl.corpus import Corpus, write_corpus
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.asking.pipeline import WorkerPool
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.llm_baselines.models import LanguageModel
from fmerl_platform.llm_baselines.request import BaselineRequest
from fmerl_platform.llm_baselines.run import run_baselines

IN_FLIGHT, CALLS = 8, 160

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_killed_driver_pays_for_nothing_twice(
    endpoint: FakeEndpoint, make_corpus: Callable[[int, int], Corpus], tmp_path: Path
) -> None:
    endpoint.delay = 0.1
    write_corpus(make_corpus(42, 40), tmp_path / "corpus")
    log, runs = tmp_path / "log", tmp_path / "runs"
    command: list[str | Path] = [sys.executable, EXPERIMENTS / "llm_baselines.py", "--corpus", tmp_path / "corpus"]
    command += ["--model", "small", "--seeds", "0", "--shots", "1", "--decoding", "text", "--storage", runs]
    command += ["--concurrency", str(IN_FLIGHT)]
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, stdout=output, stderr=output)

    driver = start()
    deadline = time.monotonic() + 240
    while len(endpoint.requests) < CALLS // 3:
        assert driver.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.02)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert Experiment.existing(runs, "llm-baselines").find(level="seed") == []
    assert start().wait(timeout=300) == 0, log.read_text()[-3000:]
    entries = JournalReader(runs / "llm-baselines" / "talk" / "journal").entries
    assert len(entries) == CALLS
    assert all(len(found) == 1 for found in entries.values()), "an answer that was kept was asked for again"
    assert CALLS <= len(endpoint.requests) <= CALLS + IN_FLIGHT, "more was repeated than was in flight"
    [run] = Experiment.existing(runs, "llm-baselines").find(level="seed")
    assert run.data.metrics["test_accuracy"] == 1
    before = len(endpoint.requests)
    assert start().wait(timeout=120) == 0
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
