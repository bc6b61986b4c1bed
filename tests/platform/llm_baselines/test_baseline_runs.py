"""Language models from request to MLflow runs that the zero-shot report reads; what is not answered; what is paid."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from aiohttp import web
from helpers.batch_endpoint import BatchEndpoint
from helpers.labelling_endpoint import FakeEndpoint, completion, prompt_of, true_class
from sklearn.metrics import f1_score

from fmerl.errors import InputError
from fmerl.supervision.templates import PAPERS, Templates
from fmerl.training.evaluation import classification_scores
from fmerl_platform.asking.batch.sending import BatchPolicy
from fmerl_platform.asking.limiter import Limits
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.results import labelled_predictions
from fmerl_platform.llm_baselines.models import LanguageModel, under_templates
from fmerl_platform.llm_baselines.request import BaselineRequest
from fmerl_platform.llm_baselines.run import run_baselines
from fmerl_platform.llm_baselines.summary import comparison_table, estimates, summary_table
from fmerl_platform.statistics import UNANSWERED
from fmerl_platform.studies.zero_shot.language_models import read_language_models

MakeRequest = Callable[..., BaselineRequest]

pytestmark = pytest.mark.usefixtures("local_ray")


@pytest.fixture(autouse=True)
def tracking(tracking_uri: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The suite's database; the study's name, that of the test."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    return str(request.node.name)


def answers(text: str, when: str) -> Callable[[web.Request, dict[str, Any], int], web.Response | None]:
    """`text` for every utterance that is `when`, else the right answer."""

    def handler(request: web.Request, body: dict[str, Any], number: int) -> web.Response | None:
        asked = prompt_of(body).removesuffix("\nEmotion:").splitlines()[-1]
        return web.json_response(completion(text)) if asked.endswith(when) else None

    return handler


def test_a_run_holds_what_the_zero_shot_report_reads(
    endpoint: FakeEndpoint, make_request: MakeRequest, tracking: str
) -> None:
    request = make_request(study=tracking, seeds=(0, 1), decoding="auto")
    done = run_baselines(request)
    assert not done.failures
    experiment = Experiment.existing(request.storage, tracking)
    models = read_language_models(experiment, "talk", ["anger"])
    assert not models.refused
    cells = models.cells["Small"]
    assert [cell.seed for cell in cells] == [0, 1]
    for cell in cells:
        found = labelled_predictions(cell, request.corpus.classes)
        assert np.array_equal(found.gold, found.predicted), "the endpoint answers rightly, the unseen class too"
        assert len(found.gold) == 20
        assert cell.metrics["parameters"] == 7e9
        assert cell.metrics["test_weighted_f1"] == cell.metrics["test_unseen_accuracy"] == 1
        assert cell.predictions["scores"].to_pylist()[:2] == [[1, 0], [0, 1]]
        assert cell.predictions["valence"].null_count == 20
    [study], [variant] = experiment.find(level="study"), experiment.find(level="variant")
    seeds = experiment.find(level="seed")
    assert {run.data.tags["mlflow.parentRunId"] for run in seeds} == {variant.info.run_id}
    assert variant.data.tags["mlflow.parentRunId"] == study.info.run_id
    assert {run.data.params["mode"] for run in seeds} == {"schema"}
    assert len(endpoint.requests) == 40, "the answer that told the decoding is one of them"
    table = summary_table(done, request)
    assert table.rows[0][:4] == ("Small", "2", "0", "100.00 ± 0.00")


def test_no_example_is_of_an_unseen_class(endpoint: FakeEndpoint, make_request: MakeRequest, tracking: str) -> None:
    run_baselines(make_request(study=tracking, shots=3))
    for prompt in endpoint.asked():
        assert prompt.count("Emotion: joy") == 3
        assert "Emotion: anger" not in prompt


def test_what_names_no_class_is_wrong_and_listed(
    endpoint: FakeEndpoint, make_request: MakeRequest, tracking: str
) -> None:
    endpoint.handler = answers("I would say joy, or anger.", when="say 14")
    request = make_request(study=tracking)
    done = run_baselines(request)
    assert not done.failures, "an answer that cannot be read is final"
    [run] = done.runs
    assert len(endpoint.requests) == 19 + 2
    client = Experiment.existing(request.storage, tracking).client()
    assert {file.path for file in client.list_artifacts(run.run_id)} == {"predictions.parquet", "problems.csv"}
    table = pq.read_table(client.download_artifacts(run.run_id, "predictions.parquet"))
    [missing] = [row for row in table.to_pylist() if row["predicted"] is None]
    assert (missing["utterance_id"], missing["scores"]) == ("u14", [0, 0])
    assert run.metrics["test_accuracy"] == pytest.approx(19 / 20)
    named = [name or "none" for name in table["predicted"].to_pylist()]
    gold = table["gold"].to_pylist()
    weighted = f1_score(gold, named, labels=["joy", "anger"], average="weighted")
    assert run.metrics["test_weighted_f1"] == pytest.approx(weighted)
    assert run.metrics["test_unanswered"] == 1
    listed = request.storage / "reports" / tracking / "talk" / "Small" / "seed-0" / "problems.csv"
    for path in (listed, Path(client.download_artifacts(run.run_id, "problems.csv"))):
        [problem] = csv.DictReader(path.open(encoding="utf-8"))
        assert problem["utterance_id"] == "u14"
        assert problem["reason"].startswith("no class")


def test_the_index_of_no_answer_is_no_class() -> None:
    gold, predicted = np.array([0, 0, 1, 1]), np.array([0, UNANSWERED, 1, 0])
    scores = classification_scores(gold, predicted, 2)
    assert scores["accuracy"] == 0.5
    assert scores["weighted_f1"] == pytest.approx((0.5 + 2 / 3) / 2), "class 0: 1 hit of 2, 1 false alarm"


def test_a_rerun_asks_nothing_and_doubles_nothing(
    endpoint: FakeEndpoint, make_request: MakeRequest, tracking: str
) -> None:
    request = make_request(study=tracking)
    [run] = run_baselines(request).runs
    asked = len(endpoint.requests)
    [again] = run_baselines(request).runs
    assert again.run_id == run.run_id
    [other] = run_baselines(make_request(study=tracking, shots=2)).runs
    assert other.run_id != run.run_id
    assert len(endpoint.requests) == 2 * asked
    experiment = Experiment.existing(request.storage, tracking)
    [cell] = read_language_models(experiment, "talk", ["anger"]).cells["Small"]
    assert cell.run_id == other.run_id, "one run of a seed stands"


def test_a_failure_that_passes_leaves_no_run_and_is_asked_again(
    endpoint: FakeEndpoint, make_request: MakeRequest, tracking: str
) -> None:
    def broken(request: web.Request, body: dict[str, Any], number: int) -> web.Response | None:
        return web.json_response({}, status=503) if "say 21\nEmotion:" in prompt_of(body) else None

    endpoint.handler = broken
    request = make_request(study=tracking)
    done = run_baselines(request)
    assert not done.runs
    assert "1 of 20 utterances are not answered yet" in done.failures["talk · Small · seed 0"]
    experiment = Experiment.existing(request.storage, tracking)
    assert experiment.find(level="seed") == []
    endpoint.handler = None
    [run] = run_baselines(request).runs
    assert len(endpoint.requests) == 21
    assert run.metrics["test_accuracy"] == 1


def test_a_model_that_cannot_be_asked_does_not_stop_the_others(
    endpoint: FakeEndpoint, make_request: MakeRequest, tracking: str
) -> None:
    def absent(request: web.Request, body: dict[str, Any], number: int) -> web.Response | None:
        return web.json_response({"error": {"message": "no model"}}, status=404) if body["model"] == "gone" else None

    endpoint.handler = absent
    gone, small = LanguageModel(name="Gone", id="gone"), LanguageModel(name="Small", id="small")
    done = run_baselines(make_request(study=tracking, models=(gone, small), decoding="auto"))
    assert list(done.failures) == ["talk · Gone · seed 0"]
    assert [run.variant for run in done.runs] == ["Small"]


def test_an_entry_brings_its_own_endpoint(
    endpoint: FakeEndpoint, make_request: MakeRequest, tracking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    model = LanguageModel(name="Own", id="own", base_url=endpoint.url)
    assert not run_baselines(make_request(study=tracking, models=(model,))).failures
    assert len(endpoint.requests) == 20


@pytest.mark.slow
def test_the_budget_is_of_all_models_together(
    endpoint: FakeEndpoint, make_request: MakeRequest, tracking: str, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.json"
    price = {"prompt": 1, "completion": 0}
    prices.write_text(json.dumps({"currency": "EUR", "per_tokens": 40, "models": {"one": price, "two": price}}))
    models = (LanguageModel(name="One", id="one"), LanguageModel(name="Two", id="two"))
    request = make_request(study=tracking, models=models, prices=prices, limits=Limits(budget=30.0))
    done = run_baselines(request)
    assert "the budget is reached" in done.failures["talk · Two · seed 0"]
    assert [run.metrics["cost"] for run in done.runs] == [pytest.approx(20)]
    assert 20 <= len(endpoint.requests) <= 30
    asked = len(endpoint.requests)
    run_baselines(request)
    assert len(endpoint.requests) <= 30, "a rerun does not spend it again"
    left = estimates(make_request(models=models, prices=prices))
    assert (left["One"].calls, left["Two"].calls) == (0, 20 - (len(endpoint.requests) - 20))
    assert asked <= len(endpoint.requests)


@pytest.mark.slow
def test_templates_are_variants_with_paired_verdicts(
    endpoint: FakeEndpoint, make_request: MakeRequest, tracking: str
) -> None:
    def misled(request: web.Request, body: dict[str, Any], number: int) -> web.Response | None:
        if not prompt_of(body).startswith("Guess."):
            return None
        right = true_class(prompt_of(body))
        odd = sum(map(ord, prompt_of(body).removesuffix("\nEmotion:").splitlines()[-1])) % 3
        return web.json_response(completion(right if odd else {"joy": "anger", "anger": "joy"}[right]))

    endpoint.handler = misled
    guess = Templates(name="guess", classification="Guess. Choose one of: {classes}.", system="Be quick.")
    models = under_templates((LanguageModel(name="Small", id="small"),), (PAPERS, guess))
    request = make_request(study=tracking, models=models, seeds=(0, 1, 2))
    done = run_baselines(request)
    assert not done.failures
    assert {run.variant for run in done.runs} == {"Small", "Small · guess"}
    assert len(endpoint.requests) == 2 * 3 * 20
    assert endpoint.requests[-1]["messages"][0] == {"role": "system", "content": "Be quick."}
    comparison = done.comparisons["Small · guess"]
    assert (comparison.n_pairs, comparison.verdict) == (3, "hurts")
    mean = sum(run.metrics["test_weighted_f1"] for run in done.runs if run.variant == "Small · guess") / 3
    assert comparison.delta == pytest.approx(mean - 1)
    table = comparison_table(done, request)
    assert table is not None
    assert table.rows[0][0] == "Small · guess"
    assert table.rows[0][-1] == "hurts"
    assert comparison_table(run_baselines(make_request(study=tracking, seeds=(0,))), make_request()) is None


def test_all_seeds_wait_in_batches_together(server: BatchEndpoint, make_request: MakeRequest, tracking: str) -> None:
    policy = BatchPolicy(first_poll=0.01, settle=0.01)
    request = make_request(study=tracking, seeds=(0, 1, 2), decoding="schema", batches=policy)
    done = run_baselines(request)
    assert not done.failures
    assert [run.metrics["test_accuracy"] for run in done.runs] == [1, 1, 1]
    assert "".join(stage[0] for stage in server.reached if stage in ("created", "look")).startswith("ccclll")
    assert sum(server.charged.values()) + len(server.requests) == 60
    assert set(server.charged.values()) == {1}


def test_a_limit_takes_whole_dialogues_the_same_ones_each_time(make_request: MakeRequest) -> None:
    few, more = make_request(limit=9), make_request(limit=13)
    assert len(few.utterances) == 8
    assert len(more.utterances) == 12
    assert {dialogue.dialogue_id for dialogue in few.dialogues} < {dialogue.dialogue_id for dialogue in more.dialogues}
    assert len(make_request(limit=1).utterances) == 4, "at least one dialogue"
    assert make_request(limit=99).runs() == make_request().runs()


@pytest.mark.parametrize(
    "changes",
    [
        {"models": (LanguageModel(name="Small", id="org/other"),)},
        {"shots": 2},
        {"context": 2},
        {"temperature": 0.5},
        {"unseen": ()},
        {"seeds": (1,)},
        {"limit": 8},
        {"decoding": "schema"},
    ],
    ids=str,
)
def test_all_that_decides_the_numbers_is_in_the_fingerprint(make_request: MakeRequest, changes: dict[str, Any]) -> None:
    [one], [other] = make_request().runs(), make_request(**changes).runs()
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"seeds": (0, 0)}, "--seeds: not each once"),
        ({"seeds": (0, 1), "shots": 0}, "every seed asks the same"),
        ({"limits": Limits(budget=1.0)}, "--budget: no price is known"),
    ],
)
def test_bad_requests_are_refused(make_request: MakeRequest, changes: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what):
        make_request(**changes)
