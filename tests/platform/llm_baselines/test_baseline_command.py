"""The script as a user runs it: exit codes, one-line errors, a dry run; the file of models."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from aiohttp import web
from helpers.labelling_endpoint import FakeEndpoint, prompt_of
from helpers.repository import EXPERIMENTS

from fmerl.corpus import Corpus, write_corpus
from fmerl.errors import InputError
from fmerl_platform.llm_baselines.models import chosen_models, read_models

MakeCorpus = Callable[[int, int], Corpus]


def main(*arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["llm_baselines.py", *arguments])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(EXPERIMENTS / "llm_baselines.py"), run_name="__main__")
    return int(left.value.code or 0)


@pytest.fixture
def arguments(make_corpus: MakeCorpus, tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    write_corpus(make_corpus(4, 2), tmp_path / "corpus")
    own = ["--corpus", str(tmp_path / "corpus"), "--storage", str(tmp_path / "runs"), "--study", tmp_path.name]
    return [*own, "--model", "small", "--seeds", "0", "--shots", "1", "--tries", "1", "--decoding", "text"]


@pytest.mark.usefixtures("local_ray")
def test_exit_codes_of_a_broken_endpoint_and_of_its_mended_one(
    endpoint: FakeEndpoint, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.handler = lambda request, body, number: (
        web.json_response({}, status=503) if "say 9\nEmotion:" in prompt_of(body) else None
    )
    assert main(*arguments) == 1
    assert "not finished: talk · small · seed 0" in capsys.readouterr().out.replace("\n", " ")
    endpoint.handler = None
    asked = len(endpoint.requests)
    assert main(*arguments) == 0
    assert len(endpoint.requests) == asked + 1
    assert "100.00" in capsys.readouterr().out


def test_a_dry_run_asks_and_writes_nothing(
    endpoint: FakeEndpoint, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*arguments, "--dry-run") == 0
    assert "small: 8 utterances; 8 calls to make, 0 answered already" in capsys.readouterr().out
    assert endpoint.requests == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (["--corpus", "nowhere"], "neither a folder nor a synthetic corpus"),
        (["--unseen", "bliss"], "no class of talk"),
        (["--config", "nowhere.json"], "nowhere.json: no such file"),
        (["--model", "small", "small"], "a model stands twice"),
        (["--workers", "9", "--concurrency", "2"], "--workers"),
        (["--shots", "-1"], "--shots"),
        (["--prices", "nowhere.json"], "nowhere.json"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    endpoint: FakeEndpoint, arguments: list[str], more: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*arguments, *more) == 2
    # An earlier test's Ray may still forward lines of its processes, "(raylet) …" or "(pid=…) …".
    [line] = [line for line in capsys.readouterr().err.splitlines() if "(raylet" not in line and "pid=" not in line]
    assert what in line
    assert endpoint.requests == []


def test_the_papers_models_are_the_default() -> None:
    models = read_models(Path(str(files("fmerl_platform.llm_baselines") / "models.json")))
    assert {model.name: model.parameters for model in models} == {
        "Qwen-7B": 7.72e9,
        "Llama2-7B": 6.74e9,
        "Llama3.2-3B": 3.21e9,
    }
    [qwen, other] = chosen_models(["Qwen-7B", "org/other"], models)
    assert qwen == models[0]
    assert (other.name, other.id, other.parameters) == ("org/other", "org/other", None)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("no JSON", "no JSON"),
        ("[]", "no list of models"),
        ('{"models": [{"name": "a"}]}', "model 1 has not the fields"),
        ('{"models": [{"name": "a", "id": "a", "size": 3}]}', "model 1 has not the fields"),
        ('{"models": [{"name": "a", "id": 3}]}', "model 1: id cannot be 3"),
        ('{"models": [{"name": "a", "id": "a", "parameters_millions": -1}]}', "parameters_millions is -1"),
        ('{"models": [{"name": "it\'s", "id": "a"}]}', "a quote in it"),
        (json.dumps({"models": 2 * [{"name": "a", "id": "a"}]}), "two models are called a"),
    ],
)
def test_files_of_models_are_checked(content: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=what):
        read_models(path)
