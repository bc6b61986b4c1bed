"""The routes without Ray: rows, bounds, what is refused, headers, and a conversation turn by turn."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from helpers.serving import assert_same_rows, service_of
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from fmerl.bundle.predictor import Predictor, predict_records
from fmerl_platform.serving.service import Conversation, Rows, Service
from fmerl_platform.serving.web import web_application

TALK = [
    {"speaker": "A", "text": "what a day !"},
    {"speaker": "B", "text": "leave me alone"},
    {"speaker": "A", "text": "oh my god"},
]
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


def client_of(service: Service) -> TestClient:
    return TestClient(web_application(service), raise_server_exceptions=False)


@pytest.fixture
def client(service: Service) -> TestClient:
    return client_of(service)


def as_csv(turns: list[dict[str, str]]) -> str:
    return "speaker;text\n" + "".join(f"{turn['speaker']};{turn['text']}\n" for turn in turns)


def post_csv(client: TestClient, text: str, **headers: str) -> Any:
    return client.post("/predict", content=text.encode(), headers={"content-type": "text/csv", **headers})


def test_rows_are_those_of_predict(client: TestClient, predictor: Predictor) -> None:
    wanted = predict_records(predictor, TALK).to_pylist()
    assert_same_rows(client.post("/predict", json=TALK).json()["rows"], wanted)
    assert_same_rows(client.post("/predict", json={"messages": TALK, "id": "conversation"}).json()["rows"], wanted)
    assert_same_rows(post_csv(client, as_csv(TALK)).json()["rows"], wanted)
    written = post_csv(client, as_csv(TALK), accept="text/csv")
    assert written.headers["content-type"].startswith("text/csv")
    lines = written.text.splitlines()
    assert lines[0].replace('"', "").split(",") == list(wanted[0])
    assert [line.split(",")[4] for line in lines[1:]] == [f'"{turn["text"]}"' for turn in TALK]


def test_several_conversations_keep_their_rows_and_their_order(client: TestClient, predictor: Predictor) -> None:
    turns = [
        {"dialogue_id": name, "turn": str(turn), "utterance_id": f"{name}{turn}", "speaker": "S", "text": text}
        for turn, text in ((2, "leave me"), (1, "oh my god"))
        for name in ("x", "y", "z")
    ]
    rows = client.post("/predict", json=turns).json()["rows"]
    assert [row["utterance_id"] for row in rows] == ["x2", "y2", "z2", "x1", "y1", "z1"]
    assert_same_rows(rows, predict_records(predictor, turns).to_pylist())


def test_media_of_a_request_are_not_opened(client: TestClient) -> None:
    turns = [{**TALK[0], "audio_path": "/etc/passwd", "video_path": "http://127.0.0.1/x", "split": "dev"}]
    answered = client.post("/predict", json=turns)
    assert answered.status_code == 200
    assert answered.json()["rows"][0]["text"] == TALK[0]["text"]


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (b"[", 422, "conversation: no JSON"),
        (b"\xff[]", 422, "byte 0 is not UTF-8"),
        (b"[" * 100_000, 422, "nested too deeply"),
        (b"[]", 422, "no list of turns"),
        (b'[{"speaker": "A"}]', 422, "row 1: a turn has no text"),
        (b'[{"speaker": "", "text": "x"}]', 422, "row 1: speaker '' is empty"),
        (b'[{"speaker": "A", "text": "\\ud800"}]', 422, "half of a surrogate pair"),
        (b'[{"speaker": "A", "text": "x", "turn": "one"}]', 422, "is not an integer"),
        (json.dumps([TALK[0] | {"utterance_id": "u"}] * 2).encode(), 422, "row 2"),
        (json.dumps([{"speaker": "A", "text": "x" * 41}]).encode(), 413, "text has 41 characters, and at most 40"),
        (json.dumps([{"speaker": "A" * 201, "text": "x"}]).encode(), 413, "speaker has 201 characters"),
        (json.dumps([TALK[0]] * 6).encode(), 413, "a conversation of 6 turns, and at most 5"),
        (json.dumps([TALK[0] | {"dialogue_id": n} for n in "abc"]).encode(), 413, "3 conversations, and at most 2"),
        (json.dumps([TALK[0]] * 11).encode(), 413, "more than 10 turns"),
        (b" " * 2_000, 413, "a request of more than 1,500 bytes"),
    ],
)
def test_what_is_refused_is_one_line(predictor: Predictor, sent: bytes, status: int, said: str) -> None:
    bytes_ = 200_000 if sent.startswith(b"[[") else 1_500
    client = client_of(service_of(predictor, request_bytes=bytes_, characters=40, turns=5, conversations=2))
    for chunks in (sent, iter([sent])):  # the second tells no length beforehand
        answered = client.post("/predict", content=chunks, headers={"content-type": "application/json"})
        assert answered.status_code == status, answered.text
        assert said in answered.json()["error"]
        assert answered.json()["error"].count("\n") == 0
        assert answered.json().keys() == {"error"}


def test_other_types_methods_paths_and_hosts_are_refused(service: Service) -> None:
    client = client_of(replace(service, hosts=("127.0.0.1", "localhost", "[::1]")))
    at = "http://127.0.0.1:8000"
    assert client.post(f"{at}/predict", content=b"[]", headers={"content-type": "text/plain"}).status_code == 415
    assert client.get(f"{at}/predict").status_code == 405
    assert client.get(f"{at}/page/../../../../../etc/passwd").status_code == 404
    assert client.get(f"{at}/%2e%2e/options.py").status_code == 404
    assert client.get(f"{at}/model").status_code == client.get("http://[::1]:8000/model").status_code == 200
    assert client.get("http://a-name-made-to-lead-here.example/model").status_code == 400


def test_models_that_fail_or_are_slow_are_told_without_their_words(service: Service) -> None:
    async def fail(conversation: Conversation) -> Rows:
        raise RuntimeError("secret of the models")

    async def wait(conversation: Conversation) -> Rows:
        await asyncio.Event().wait()
        return []

    failed = client_of(replace(service, ask=fail)).post("/predict", json=TALK)
    assert (failed.status_code, "secret" in failed.text) == (500, False)
    slow = replace(service, ask=wait, limits=replace(service.limits, timeout=0.05))
    answered = client_of(slow).post("/predict", json=TALK)
    assert answered.status_code == 504
    assert answered.json()["error"] == "no answer within 0.05 s; send less, or again later"


def test_health_and_model(service: Service) -> None:
    async def none() -> int:
        return 0

    assert client_of(service).get("/healthz").status_code == 200
    assert client_of(replace(service, replicas=none)).get("/healthz").status_code == 503
    told = client_of(service).get("/model").json()
    assert told["classes"] == ["joy", "anger", "fear"]
    assert told["limits"]["turns"] == service.limits.turns


def test_the_page_may_load_nothing_but_itself(client: TestClient) -> None:
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
        answered = client.get(path)
        assert answered.headers["content-type"].startswith(kind)
        assert answered.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in answered.headers["content-security-policy"]
        # The one address is the name of SVG's elements, which nothing loads.
        assert "http" not in answered.text.replace("http://www.w3.org/2000/svg", "").replace("https:", "")
        assert "innerHTML" not in answered.text


def test_a_conversation_grows_turn_by_turn(client: TestClient, predictor: Predictor) -> None:
    """After every turn, what was answered and revised is what the whole conversation has now."""
    known: dict[str, dict[str, Any]] = {}
    words = ("oh my god", "what a day !", "leave me alone", "a day", "alone", "god god", "what", "me")
    turns = [{"speaker": "AB"[place % 2], "text": text} for place, text in enumerate(words)]
    with client.websocket_connect("/stream") as socket:
        for length in range(1, len(turns) + 1):
            socket.send_json(turns[length - 1])
            answer = socket.receive_json()
            assert len(answer["rows"]) == 1
            assert {row["utterance_id"] for row in answer["revised"]} <= set(known)
            known |= {row["utterance_id"]: row for row in (*answer["revised"], *answer["rows"])}
            whole = predict_records(predictor, turns[:length]).to_pylist()
            assert [known[row["utterance_id"]]["predicted"] for row in whole] == [row["predicted"] for row in whole]
            assert_same_rows(answer["rows"], whole[-1:])


def test_a_turn_that_is_refused_leaves_the_conversation_as_it_was(predictor: Predictor) -> None:
    client = client_of(service_of(predictor, turns=3, request_bytes=500))
    with client.websocket_connect("/stream") as socket:
        socket.send_json(TALK[:2])
        assert [row["turn"] for row in socket.receive_json()["rows"]] == [1, 2]
        for sent in ("nothing", '{"speaker": "A"}', json.dumps(TALK[0] | {"text": HOSTILE * 10}), json.dumps(TALK[:2])):
            socket.send_text(sent)
            assert socket.receive_json().keys() == {"error"}
        socket.send_bytes(json.dumps(TALK[2] | {"dialogue_id": "another", "turn": 1}).encode())
        (row,) = socket.receive_json()["rows"]
        assert (row["turn"], row["dialogue_id"]) == (3, "conversation")
        assert_same_rows([row], predict_records(predictor, TALK).to_pylist()[2:])


def test_a_stream_of_another_sites_page_or_without_turns_is_closed(service: Service) -> None:
    client = client_of(replace(service, limits=replace(service.limits, idle=0.05)))
    opened = client.websocket_connect("/stream", headers={"origin": "https://elsewhere.example"})
    with pytest.raises(WebSocketDisconnect), opened:
        pass
    with client.websocket_connect("/stream", headers={"origin": "http://testserver"}) as socket:
        assert socket.receive()["code"] == 1001
