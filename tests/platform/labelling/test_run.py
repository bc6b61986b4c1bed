"""A label set from the command's request to its files, its card and its MLflow run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow.parquet as pq
import pytest
from aiohttp import web
from helpers.labelling_endpoint import FakeEndpoint, completion, prompt_of, talk, true_score

from fmerl.card import read_card
from fmerl.config import DIMENSIONS
from fmerl.corpus import write_corpus
from fmerl.errors import InputError
from fmerl.supervision.labels import read_labels_of
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.limiter import Limits
from fmerl_platform.cli.label import LabelOptions, label
from fmerl_platform.labelling.cost import estimate
from fmerl_platform.labelling.plan import read_source, sample
from fmerl_platform.labelling.publish import EXPERIMENT
from fmerl_platform.labelling.request import LabelRequest
from fmerl_platform.labelling.run import label_corpus
from fmerl_platform.ledger.experiment import Experiment

MakeRequest = Callable[..., LabelRequest]

pytestmark = pytest.mark.usefixtures("local_ray")


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    table = {"currency": "EUR", "per_tokens": 1000, "models": {"judge": {"prompt": 1, "completion": 10}}}
    path.write_text(json.dumps(table))
    return path


def test_card_run_and_figures(endpoint: FakeEndpoint, make_request: MakeRequest, prices: Path) -> None:
    corpus = talk([f"say {row}" for row in range(40)], scored=True)
    request = make_request(corpus, prices=prices, retest=8, splits=("train", "validation"))
    done = label_corpus(request)
    calls = 36 * 3 + 8 * 3 + 2 * 3
    assert done.complete(0.0)
    assert len(endpoint.requests) == calls

    card = read_card(request.labels / "talk")
    assert card["models_reported"] == {"judge-2026-01": calls}
    assert card["template_digest"] == PromptConfig().digest()
    assert card["usage"]["cost"] == pytest.approx(calls * (40 * 0.001 + 8 * 0.01))
    assert card["rows"] == {"utterances": 36, "labelled": 36, "errors": {}}
    assert card["recipe"]["descriptions"]["reviewed"] is False
    wanted = [true_score(request.prompts.score("valence", f"say {row}")[0]["content"]) for row in range(36)]
    human = card["human_agreement"]["valence"]
    assert human["pearson"]["value"] == pytest.approx(np.corrcoef([row % 6 for row in range(36)], wanted)[0, 1])
    assert card["human_agreement"]["arousal"]["pearson"] is None, "all human scores are the same"
    assert card["retest_agreement"]["valence"]["ccc"]["value"] == pytest.approx(1)
    assert card["retest_agreement"]["valence"]["n"] == 8

    experiment = Experiment.in_storage(request.storage, EXPERIMENT)
    [run] = experiment.find(level="labels")
    assert run.data.metrics["labelled"] == 36
    assert run.data.metrics["human_valence_pearson"] == pytest.approx(human["pearson"]["value"])
    files = {item.path for item in experiment.client().list_artifacts(run.info.run_id)}
    assert files == {"card.json", "histograms.svg", "calibration.svg"}

    label_corpus(request)
    assert len(endpoint.requests) == calls
    assert len(experiment.find(level="labels")) == 1


def test_reviewed_descriptions_cost_nothing_and_the_grid_reads_the_set(
    endpoint: FakeEndpoint, make_request: MakeRequest, tmp_path: Path
) -> None:
    corpus = talk([f"say {row}" for row in range(12)])
    done = label_corpus(make_request(corpus))
    asked = len(endpoint.requests)
    assert done.draft_file is not None
    text = "Arousal: High and sudden, Valence: High and sudden, Dominance: High and sudden"
    assert json.loads(done.draft_file.read_text()) == {"joy": text, "anger": text}
    reviewed = tmp_path / "reviewed.json"
    reviewed.write_text(json.dumps({"joy": text.replace("sudden", "warm"), "anger": text}))
    request = make_request(corpus, descriptions=reviewed)
    label_corpus(request)
    assert len(endpoint.requests) == asked
    labels = read_labels_of(request.labels, corpus)
    assert labels.descriptions["joy"].startswith("Arousal: High and warm, ")
    assert labels.card["recipe"]["descriptions"]["reviewed"] is True


def test_rows_out_are_rows_in_with_errors_listed(endpoint: FakeEndpoint, make_request: MakeRequest) -> None:
    def answer(request: web.Request, body: dict[str, Any], number: int) -> web.Response | None:
        if "refuse me" in prompt_of(body):
            return web.json_response(completion("I'm sorry, I cannot do that."))
        if "too long" in prompt_of(body) and "arousal" in prompt_of(body):
            return web.json_response({"error": {"message": "context length"}}, status=400)
        return None

    endpoint.handler = answer
    corpus = talk(["refuse me", "too long", "  ", *(f"say {row}" for row in range(9))])
    request = make_request(corpus)
    done = label_corpus(request)
    assert done.quality.utterances == 8
    assert done.quality.errors == {"refusal": 1, "request failed": 1, "the text is empty": 1}
    assert not done.complete(3 / 8 - 0.01)
    assert done.complete(3 / 8)
    assert done.quality.refusal_rate == pytest.approx(9 / done.quality.usage.answers)
    labels = read_labels_of(request.labels, corpus)
    assert labels.errors[1] is not None
    assert labels.errors[1].startswith("arousal: request failed: HTTP 400: ")
    assert labels.labelled.tolist() == [False] * 3 + [True] * 5 + [False] * 4

    endpoint.handler = None
    asked = len(endpoint.requests)
    label_corpus(request)
    assert len(endpoint.requests) == asked + 1, "what failed is asked again, what was refused three times is not"


def test_endpoint_with_ways_of_its_own_costs_no_row_and_cut_off_thoughts_are_no_scores(
    endpoint: FakeEndpoint, make_request: MakeRequest
) -> None:
    def reasoning(request: web.Request, body: dict[str, Any], number: int) -> web.Response | None:
        if "max_tokens" in body or "temperature" in body:
            field = "max_tokens" if "max_tokens" in body else "temperature"
            error = {"message": f"{field} is not supported", "param": field}
            return web.json_response({"error": error}, status=400)
        if "say 3" not in prompt_of(body):
            return None
        reply = completion("First the words:\n\n1.  **Look at them:** the speaker")
        reply["usage"]["completion_tokens"] = body["max_completion_tokens"]
        return web.json_response(reply)

    endpoint.handler = reasoning
    corpus = talk([f"say {row}" for row in range(12)])
    request = make_request(corpus)
    done = label_corpus(request)
    assert done.quality.errors == {"truncated": 1}
    labels = read_labels_of(request.labels, corpus)
    assert labels.labelled.tolist() == [True] * 3 + [False] + [True] * 4 + [False] * 4
    assert labels.card["endpoint_ways"] == {"completion_tokens": True, "fixed_temperature": True}
    asked = len(endpoint.requests)
    label_corpus(request)
    assert len(endpoint.requests) == asked, "neither what was answered nor what was cut off is paid again"


def test_auto_takes_what_the_endpoint_has_and_asks_once(endpoint: FakeEndpoint, make_request: MakeRequest) -> None:
    def no_logprobs(request: web.Request, body: dict[str, Any], number: int) -> web.Response | None:
        if body.get("logprobs"):
            return web.json_response({"error": {"message": "unsupported", "param": "logprobs"}}, status=400)
        if "response_format" in body:
            return web.json_response(completion(json.dumps({"score": 2})))
        return None

    endpoint.handler = no_logprobs
    request = make_request(talk([f"say {row}" for row in range(12)]), decoding="auto")
    assert estimate(request).calls == 8 * 3 + 6
    done = label_corpus(request)
    assert (done.mode, done.quality.errors) == ("schema", {})
    assert len(endpoint.requests) == 1 + 8 * 3 + 6, "the answer that decided is used, not asked again"
    assert sum("logprobs" in body for body in endpoint.requests) == 1
    label_corpus(request)
    assert len(endpoint.requests) == 1 + 8 * 3 + 6


def test_budget_ends_the_run_with_what_was_paid(
    endpoint: FakeEndpoint, make_request: MakeRequest, prices: Path
) -> None:
    corpus = talk([f"say {row}" for row in range(80)])
    budget = 12.0
    request = make_request(corpus, prices=prices, limits=Limits(budget=budget))
    done = label_corpus(request)
    spent = len(endpoint.requests) * 0.12
    assert budget - 0.6 < spent <= budget
    assert not done.complete(0.01)
    assert done.quality.utterances == 76
    asked = len(endpoint.requests)
    label_corpus(request)
    assert len(endpoint.requests) * 0.12 <= budget, "a rerun does not spend the budget again"
    rest = label_corpus(make_request(corpus, prices=prices))
    assert rest.complete(0.0)
    assert len(endpoint.requests) == 76 * 3 + 6 >= asked


def test_dry_run_counts_calls_tokens_and_cost_and_asks_nothing(
    endpoint: FakeEndpoint, make_request: MakeRequest, prices: Path
) -> None:
    corpus = talk(["Okay."] * 6 + [f"say {row}" for row in range(34)])
    request = make_request(corpus, prices=prices, retest=10)
    told = estimate(request)
    assert endpoint.requests == []
    assert not request.storage.exists()
    unique_twice = {item.text for item in sample([*corpus.utterances()][:36], 10)}
    assert told.calls == (1 + 30) * 3 + len(unique_twice) * 3 + 6
    assert told.likely_cost < told.most_cost == pytest.approx(told.most.prompt * 0.001 + told.most.completion * 0.01)
    done = label_corpus(request)
    assert len(endpoint.requests) == told.calls
    assert done.quality.usage.cost <= told.most_cost
    assert estimate(request).calls == 0


def test_label_set_of_some_dimensions_is_written_and_refused_by_the_grid(
    endpoint: FakeEndpoint, make_request: MakeRequest
) -> None:
    corpus = talk([f"say {row}" for row in range(12)])
    request = make_request(corpus, prompts=PromptConfig(dimensions=("valence",)))
    assert request.grid_objection() == "arousal, dominance will have no scores"
    assert label_corpus(request).quality.errors == {}
    with pytest.raises(InputError, match=r"card\.json: the label set has no scores of arousal, dominance"):
        read_labels_of(request.labels, corpus)


def test_label_set_of_another_scale_or_corpus_is_refused_by_the_grid(
    endpoint: FakeEndpoint, make_request: MakeRequest
) -> None:
    endpoint.handler = lambda request, body, number: (
        None if "brief phrase" in prompt_of(body) else web.json_response(completion("7"))
    )
    corpus = talk([f"say {row}" for row in range(12)])
    request = make_request(corpus, prompts=PromptConfig(scale=(0, 10)))
    assert request.grid_objection() == "the scale leaves the corpus's vad_range, 0 to 5"
    label_corpus(request)
    with pytest.raises(InputError, match="scores from 0 to 10, where the corpus has 0 to 5"):
        read_labels_of(request.labels, corpus)
    endpoint.handler = None
    label_corpus(make_request(corpus))
    with pytest.raises(InputError, match="utterance_id 'u4' is none of corpus talk"):
        read_labels_of(request.labels, talk([f"say {row}" for row in range(4)], turns=1))


@pytest.mark.parametrize("decoding", ["text", "schema"])
def test_one_question_for_all_dimensions_is_a_third_of_the_calls(
    endpoint: FakeEndpoint, make_request: MakeRequest, decoding: str
) -> None:
    corpus = talk([f"say {row}" for row in range(12)], scored=True)
    request = make_request(corpus, prompts=PromptConfig(questions="one"), decoding=decoding, retest=2)
    done = label_corpus(request)
    assert len(endpoint.requests) == 8 + 2 + 2 * 3
    prompts = [request.prompts.joint_scores(f"say {row}")[0]["content"] for row in range(8)]
    wanted = [[true_score(f"{prompt}{name}") // 1 for name in DIMENSIONS] for prompt in prompts]
    np.testing.assert_array_equal(read_labels_of(request.labels, corpus).vad[:8], np.array(wanted, dtype=np.float32))
    assert set(done.quality.human_agreement) == set(DIMENSIONS)
    assert read_card(request.labels / "talk")["recipe"]["prompts"]["questions"] == "one"


def test_an_answer_without_one_dimension_is_no_label(endpoint: FakeEndpoint, make_request: MakeRequest) -> None:
    endpoint.handler = lambda request, body, number: (
        web.json_response(completion("Valence: 3, Arousal: 2")) if "say 3" in prompt_of(body) else None
    )
    request = make_request(talk([f"say {row}" for row in range(12)]), prompts=PromptConfig(questions="one"))
    done = label_corpus(request)
    assert done.quality.errors == {"no score": 1}
    [error] = [error for error in pq.read_table(done.folder / "vad.parquet")["error"].to_pylist() if error]
    assert error.startswith("valence: no score: ")


def test_samples_are_averaged_and_their_spread_stands_beside(endpoint: FakeEndpoint, make_request: MakeRequest) -> None:
    asked: Counter[str] = Counter()

    def drawn(request: web.Request, body: dict[str, Any], number: int) -> web.Response | None:
        if "brief phrase" in prompt_of(body):
            return None
        asked[prompt_of(body)] += 1
        return web.json_response(completion(str(asked[prompt_of(body)])))

    endpoint.handler = drawn
    corpus = talk([f"say {row}" for row in range(12)])
    request = make_request(corpus, samples=3, temperature=0.7)
    done = label_corpus(request)
    assert set(asked.values()) == {3}
    table = pq.read_table(done.folder / "vad.parquet")
    columns = ["utterance_id", *DIMENSIONS, "error", *(f"{name}_sd" for name in DIMENSIONS)]
    assert table.column_names == columns
    assert table["valence"].to_pylist() == [2] * 8, "the mean of 1, 2 and 3"
    assert table["dominance_sd"].to_pylist() == [1] * 8
    card = read_card(done.folder)
    assert (card["recipe"]["samples"], card["sample_spread"]) == (3, dict.fromkeys(DIMENSIONS, 1))
    assert read_labels_of(request.labels, corpus).labelled.sum() == 8
    before = len(endpoint.requests)
    one = label_corpus(make_request(corpus, samples=1, temperature=0.7, retest=2))
    assert len(endpoint.requests) == before, "a retest takes samples that are paid for"
    assert one.quality.retest_agreement["valence"].n == 2
    assert pq.read_table(one.folder / "vad.parquet").column_names == ["utterance_id", *DIMENSIONS, "error"]


def test_several_templates_label_into_folders_of_their_own(
    endpoint: FakeEndpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_corpus(talk([f"say {row}" for row in range(12)], scored=True), tmp_path / "corpus")
    (tmp_path / "short.json").write_text(json.dumps({"score": "{dimension} of {utterance}?"}))
    options = LabelOptions(
        corpus=tmp_path / "corpus",
        labels=tmp_path / "labels",
        storage=tmp_path / "runs",
        model="judge",
        prompt=("paper", str(tmp_path / "short.json")),
        decoding="text",
        retest=0,
    )
    assert label(options=options) == 0
    assert len(endpoint.requests) == 2 * 8 * 3 + 2 * 3, "descriptions of the same query are asked for once"
    templates = [
        read_card(tmp_path / "labels" / name / "talk")["recipe"]["prompts"]["score_template"]
        for name in ("paper", "short")
    ]
    assert templates == [PromptConfig().score_template, "{dimension} of {utterance}?"]
    told = capsys.readouterr().out
    assert "Label sets by templates" in told
    drafts = sorted(path.name for path in (tmp_path / "runs" / "labelling" / "talk").glob("*.json"))
    assert drafts == ["descriptions-paper.json", "descriptions-short.json"]


def test_emobank_is_a_corpus_of_sentences(shared_data: Path) -> None:
    corpus = read_source(shared_data / "emobank" / "emobank.csv")
    assert (corpus.name, corpus.vad_range, len(corpus.dialogues)) == ("emobank", (1.0, 5.0), 10062)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"limits": Limits(budget=1.0)}, "--budget: no price is known"),
        ({"samples": 3}, "--samples: 3 answers at temperature 0 would be the same one"),
        ({"corpus": talk([" "] * 12)}, "no text in train, validation of talk"),
    ],
)
def test_bad_requests_are_refused(make_request: MakeRequest, changes: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what):
        make_request(**{"corpus": talk([f"say {row}" for row in range(12)]), **changes})


def test_no_answer_is_paid_for_that_cannot_be_kept(
    endpoint: FakeEndpoint, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = talk(["what a day", "leave me alone"], turns=1)

    def closed(*arguments: object) -> NoReturn:
        raise InputError("mlflow.db", "it is a newer MLflow's", "install that one")

    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "in_storage", closed)
        with pytest.raises(InputError, match="newer MLflow"):
            label_corpus(make_request(corpus))
    (make_request(corpus).labels / corpus.name).mkdir(parents=True)
    with pytest.raises(InputError, match="something without a card is in the way"):
        make_request(corpus)
    assert endpoint.requests == []
