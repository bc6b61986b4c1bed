"""Knowledge from the command to the feature table that systems read; what is not answered, and what is paid."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from aiohttp import web
from helpers.labelling_endpoint import FakeEndpoint, completion, prompt_of, talk
from helpers.tiny_bert import save_tiny_bert

from fmerl.card import read_card
from fmerl.config import KNOWLEDGE, RELATIONS
from fmerl.corpus import Corpus, write_corpus
from fmerl.errors import InputError
from fmerl.features.store import read_features
from fmerl.features.text.encoder import TextEncoder
from fmerl.features.text.utterances import TextSpec
from fmerl_platform.asking.asker import RetryPolicy
from fmerl_platform.asking.backoff import Backoff
from fmerl_platform.cli.ask_knowledge import AskKnowledgeOptions, ask_knowledge
from fmerl_platform.cli.asking_options import AskingOptions
from fmerl_platform.knowledge import run
from fmerl_platform.knowledge.request import KnowledgeRequest

TEXTS = ("what a day", "leave me alone", "", "oh my god !", "what a day", "me ! me", "my day", "a god")


def said_of(text: str) -> dict[str, str]:
    """What the endpoint says of an utterance: a sentence of its own for each relation."""
    words = ("what", "a", "day", "leave", "me", "alone", "oh")
    return {name: f"{word} {text}" for name, word in zip(RELATIONS, words, strict=True)}


def asked_about(body: dict[str, Any]) -> str:
    """Text of the utterance that a request is about."""
    return prompt_of(body).removesuffix("\n\nJSON:").rpartition("\n")[2]


def handler(*, bad: str | None = None) -> Callable[[web.Request, dict[str, Any], int], web.Response]:
    """Answers by `said_of`; of the `bad` text without a desire."""

    def answer(request: web.Request, body: dict[str, Any], number: int) -> web.Response:
        text = asked_about(body)
        said = said_of(text)
        if text == bad:
            del said["desire"]
        return web.json_response(completion(json.dumps(said)))

    return answer


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("encoder")
    save_tiny_bert(folder, positions=32)
    return str(folder)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    corpus = talk(TEXTS, turns=2)
    write_corpus(corpus, tmp_path / "talk")
    return corpus


@pytest.fixture
def request_for(tmp_path: Path, encoder: str, corpus: Corpus) -> KnowledgeRequest:
    return KnowledgeRequest(
        corpus=corpus,
        folder=tmp_path / "talk",
        knowledge=tmp_path / "knowledge",
        features=tmp_path / "features",
        model="judge",
        text=TextSpec(encoder=encoder, pooling="mean"),
        retries=RetryPolicy(answers=2, backoff=Backoff(tries=1)),
        storage=tmp_path / "runs",
    )


def table_of(request: KnowledgeRequest) -> Any:
    ids = [utterance.utterance_id for utterance in request.corpus.utterances()]
    return read_features(request.features, request.corpus.name, KNOWLEDGE, ids)


@pytest.mark.usefixtures("local_ray")
def test_each_text_is_asked_about_once_and_its_sentences_are_encoded_side_by_side(
    endpoint: FakeEndpoint, request_for: KnowledgeRequest, encoder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.handler = handler(bad="my day")
    done = run.ask_knowledge(request_for)
    assert done.mode == "schema"
    assert len(endpoint.requests) == 6 + 1, "seven texts, two of them the same; the one that cannot be read twice"
    assert endpoint.requests[0]["response_format"]["json_schema"]["schema"]["required"] == list(RELATIONS)
    assert list(done.errors) == ["u6"]
    assert done.error_share == pytest.approx(1 / 7)

    rows = pq.read_table(done.sentences / run.SENTENCES).to_pylist()
    assert [row["error"] is None for row in rows] == [bool(text) and text != "my day" for text in TEXTS]
    assert {name: rows[3][name] for name in RELATIONS} == said_of("oh my god !")
    assert rows[2]["belief"] is None
    assert read_card(done.sentences)["recipe"]["model"] == "judge"

    table = table_of(request_for)
    assert table.missing.tolist() == [False, False, True, False, False, False, True, False]
    assert table.card["recipe"]["relations"] == list(RELATIONS)
    assert table.card["recipe"]["sentences"]["model"] == "judge"
    assert table.card["supervised_on_labels"] is False
    alone = TextEncoder(encoder, pooling="mean").encode(list(said_of("oh my god !").values()))
    np.testing.assert_allclose(table.values[3], alone.reshape(-1), rtol=1e-5, atol=1e-6)

    for share, code in ((0.2, 0), (0.0, 1)):
        assert ask_knowledge(options=options(request_for, text_pooling="mean", max_error_share=share)) == code
        printed = capsys.readouterr().out
        assert "7 utterances asked about, 1 without an answer" in printed
        assert ("more than --max-error-share" in printed) == bool(code)
    assert len(endpoint.requests) == 7
    assert table_of(request_for).card["content_digest"] == table.card["content_digest"]


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_what_was_answered_is_not_asked_again_after_a_breakdown(
    endpoint: FakeEndpoint, request_for: KnowledgeRequest
) -> None:
    right, down = handler(), {"me ! me", "my day", "a god"}

    def breaks(request: web.Request, body: dict[str, Any], number: int) -> web.Response:
        return web.json_response({}, status=500) if asked_about(body) in down else right(request, body, number)

    endpoint.handler = breaks
    broken = run.ask_knowledge(replace(request_for, decoding="text"))
    told = {row["utterance_id"] for row in pq.read_table(broken.sentences / run.SENTENCES).to_pylist()}
    assert told == {utterance.utterance_id for utterance in request_for.corpus.utterances()}
    assert set(broken.errors) == {item.utterance_id for item in request_for.corpus.utterances() if item.text in down}
    before, endpoint.handler = len(endpoint.requests), right
    mended = run.ask_knowledge(replace(request_for, decoding="text"))
    assert not mended.errors
    assert {asked_about(body) for body in endpoint.requests[before:]} == down
    assert table_of(request_for).missing.tolist() == [not text for text in TEXTS]


def options(request: KnowledgeRequest, **changes: Any) -> AskKnowledgeOptions:
    fields: dict[str, Any] = {
        "corpus": request.folder,
        "knowledge": request.knowledge,
        "features": request.features,
        "model": "judge",
        "text_encoder": request.text.encoder,
        "storage": request.storage,
        "asking": AskingOptions(answers=2, tries=1),
    }
    return AskKnowledgeOptions(**{**fields, **changes})


def test_a_dry_run_asks_nothing(
    endpoint: FakeEndpoint, request_for: KnowledgeRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask_knowledge(options=options(request_for, dry_run=True)) == 0
    assert "7 utterances; 6 calls to make" in capsys.readouterr().out
    assert not endpoint.requests
    assert not request_for.features.exists()


def test_what_cannot_be_asked_for_is_refused_before_it_is_paid(
    endpoint: FakeEndpoint, request_for: KnowledgeRequest, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no utterance has a text"):
        replace(request_for, corpus=talk(["", " "]))
    with pytest.raises(InputError, match="no text encoder can be loaded"):
        run.ask_knowledge(replace(request_for, text=TextSpec(encoder=str(tmp_path))))
    assert not endpoint.requests


def test_nothing_is_asked_that_cannot_be_encoded_or_kept(request_for: KnowledgeRequest) -> None:
    with pytest.raises(InputError, match="package:none: the Python package cannot be imported"):
        replace(request_for, text=TextSpec(encoder="package:none"))
    for folder in (request_for.features / request_for.corpus.name / KNOWLEDGE, request_for.knowledge / "talk"):
        folder.mkdir(parents=True)
        with pytest.raises(InputError, match="something without a card is in the way") as caught:
            replace(request_for)
        assert caught.value.where == str(folder)
        folder.rmdir()
