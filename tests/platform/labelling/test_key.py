"""The API key stays in requests: not in files, logs, MLflow, errors or tracebacks."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from helpers.labelling_endpoint import SENTINEL, FakeEndpoint, completion, talk
from helpers.repository import EXPERIMENTS, REPOSITORY
from rich.console import Console

from fmerl.corpus import write_corpus
from fmerl.errors import InputError
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.asker import RetryPolicy
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.asking.endpoint import Endpoint, EndpointClient, RequestFailedError
from fmerl_platform.asking.question import Decoding, Questions
from fmerl_platform.asking.secret import Secret
from fmerl_platform.cli.progress import RateProgress
from fmerl_platform.labelling.request import LabelRequest
from fmerl_platform.labelling.run import label_corpus

CALL = Questions(model="judge", prompts=PromptConfig(), decoding=Decoding(mode="text")).score("Oh!", "valence")


def quoting(request: web.Request, body: object, number: int) -> web.Response | None:
    """Quotes the key in whatever it sends: refusals, errors, answers, the model's name."""
    key = request.headers["Authorization"].removeprefix("Bearer ")
    match number % 4:
        case 0:
            return web.json_response({"error": {"message": f"bad key {key}", "code": key}}, status=500)
        case 1:
            return web.json_response({"error": {"message": f"bad key {key}"}}, status=400)
        case 2:
            return web.json_response(completion(f"I cannot score for {key}", model=f"judge of {key}"))
    return web.json_response(completion("Score: 3", model=f"judge of {key}"))


def holding(folder: Path, needle: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]


@pytest.mark.usefixtures("local_ray")
def test_key_is_in_no_file_and_on_no_screen(
    endpoint: FakeEndpoint, make_request: Callable[..., LabelRequest], tmp_path: Path
) -> None:
    import ray

    endpoint.handler = quoting
    screen = Console(file=(text := io.StringIO()), width=200)
    retries = RetryPolicy(backoff=Backoff(first_seconds=0.01, tries=2))
    label_corpus(
        make_request(talk([f"say {row}" for row in range(40)]), retries=retries), partial(RateProgress, screen)
    )
    assert endpoint.keys == {f"Bearer {SENTINEL}"}, "the endpoint never saw the key, so this test shows nothing"
    assert holding(tmp_path, b"[API key]"), "no quoted key was met"
    assert holding(tmp_path, SENTINEL.encode()) == []
    node = ray._private.worker._global_node
    assert node is not None
    session = Path(node.get_session_dir_path())
    assert holding(session / "logs", b"LabelWorker"), "no log of the workers was met"
    assert holding(session / "logs", SENTINEL.encode()) == []
    assert SENTINEL not in text.getvalue()


async def _failure() -> BaseException:
    client = EndpointClient(Endpoint.from_environment(2.0))
    try:
        with pytest.raises(RequestFailedError) as caught:
            await client.send(CALL, 0)
    finally:
        await client.close()
    return caught.value


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_no_error_holds_the_key(endpoint: FakeEndpoint, status: int) -> None:
    endpoint.handler = lambda request, body, number: web.json_response(
        {"error": {"message": f"key {request.headers['Authorization']} is bad"}}, status=status
    )
    error = asyncio.run(_failure())
    shown = "".join(traceback.format_exception(error)) + repr(error.__dict__)
    assert "[API key]" in shown
    assert SENTINEL not in shown
    assert error.__cause__ is None
    assert error.__context__ is None
    assert SENTINEL.encode() not in pickle.dumps(error)


def test_refused_key_ends_the_run_with_one_line(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    endpoint.handler = lambda request, body, number: web.json_response(
        {"error": {"message": f"Incorrect API key provided: {SENTINEL} [/see the manual]"}}, status=401
    )
    write_corpus(talk([f"say {row}" for row in range(12)]), tmp_path / "corpus")
    command: list[str | Path] = [sys.executable, EXPERIMENTS / "label_corpus.py", "--corpus", tmp_path / "corpus"]
    command += ["--labels", tmp_path / "labels", "--storage", tmp_path / "runs", "--model", "judge"]
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])
    result = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    assert (result.returncode, len(endpoint.requests)) == (1, 1), result.stderr
    assert result.stderr.count("\n") == 1
    assert "HTTP 401: " in result.stderr
    assert SENTINEL not in result.stdout + result.stderr


def test_secret_shows_stars_only() -> None:
    key = Secret(SENTINEL)
    assert repr([key]) == str([key]) == "[Secret(***)]"
    assert f"{key}" == "Secret(***)"
    assert pickle.loads(pickle.dumps(key)).reveal() == SENTINEL
    assert Secret("none").redact("none of it") == "none of it", "a short stand-in for a key is a word"


@pytest.mark.parametrize(
    ("url", "key", "what"),
    [
        ("http://user:pass-1234@127.0.0.1/v1", "k", "credentials"),
        ("http://127.0.0.1/v1?api-key=pass-1234", "k", "credentials"),
        ("ftp://127.0.0.1", "k", "address"),
        ("", "", "not set"),
        ("http://127.0.0.1/v1", "pass-\n1234", "white space"),
    ],
)
def test_bad_environment_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str, key: str, what: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(InputError, match=what) as caught:
        Endpoint.from_environment(1.0)
    assert "1234" not in str(caught.value)
