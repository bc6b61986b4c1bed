"""An OpenAI-compatible endpoint of the tests' own: it counts, it knows the right score, and it fails on request."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from fmerl.corpus import Corpus, Dialogue, Split, Utterance

SENTINEL = "sk-sentinel-4f1d9c7e2b"
"""A key that must never be seen again."""
CLASSES = ("joy", "anger")

Handler = Callable[[web.Request, dict[str, Any], int], Any]


def true_score(prompt: str) -> float:
    """The score this endpoint gives for a prompt, from 0 to 5 in steps of .5."""
    return hashlib.sha256(prompt.encode()).digest()[0] % 11 / 2


def completion(text: str, **fields: Any) -> dict[str, Any]:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 40, "completion_tokens": 8, "total_tokens": 48}
    return {
        "id": "x",
        "object": "chat.completion",
        "model": "judge-2026-01",
        "choices": [choice],
        "usage": usage,
        **fields,
    }


def prompt_of(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def true_class(prompt: str) -> str:
    """The class of the utterance that a prompt about a dialogue of `talk` ends with, which its speaker tells."""
    return CLASSES["ab".index(prompt.removesuffix("\nEmotion:").splitlines()[-1][0])]


def right_answer(body: dict[str, Any]) -> str:
    prompt = prompt_of(body)
    if prompt.startswith("Name the emotion"):
        return json.dumps({"emotion": true_class(prompt)}) if "response_format" in body else true_class(prompt)
    if "in the dimensions of" in prompt:
        scores = {name: true_score(f"{prompt}{name}") // 1 for name in ("valence", "arousal", "dominance")}
        told = ", ".join(f"{name.capitalize()}: {score:g}" for name, score in scores.items())
        return json.dumps(scores) if "response_format" in body else told
    return "High and sudden." if "brief phrase" in prompt else f"Score: {true_score(prompt):g} out of 5"


class FakeEndpoint:
    """Serves on loopback from a thread.

    Attributes:
        handler: Makes a response from (request, body, number of the request from 1); None answers rightly.
        requests: Bodies, in the order they came.
    """

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.delay = 0.0
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.most_at_once = self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._started.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def asked(self) -> Counter[str]:
        """How often each prompt was asked."""
        return Counter(prompt_of(body) for body in list(self.requests))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._started.set()
        self._loop.run_forever()

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**28)
        self.add_routes(app.router)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._port = runner.addresses[0][1]

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add what is served."""
        router.add_post("/v1/chat/completions", self._answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.text())
        self.requests.append(body)
        self.keys.add(request.headers.get("Authorization", ""))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.delay)
            if self.handler is not None:
                response = self.handler(request, body, len(self.requests))
                response = await response if asyncio.iscoroutine(response) else response
                if response is not None:
                    return response
            return web.json_response(completion(right_answer(body)))
        finally:
            self._at_once -= 1


def talk(texts: Sequence[str], scored: bool = False, turns: int = 4) -> Corpus:
    """A corpus of dialogues of so many turns, the last two dialogues in validation and test."""
    utterances = [
        Utterance(
            utterance_id=f"u{row}",
            dialogue_id=f"d{row // turns}",
            turn=row % turns,
            speaker="ab"[row % 2],
            text=text,
            emotion=CLASSES[row % 2],
            split=_split(row // turns, (len(texts) - 1) // turns),
            valence=row % 6 if scored else None,
            arousal=2.5 if scored else None,
            dominance=5 - row % 6 if scored else None,
        )
        for row, text in enumerate(texts)
    ]
    names = dict.fromkeys(utterance.dialogue_id for utterance in utterances)
    dialogues = tuple(
        Dialogue(dialogue_id=name, utterances=tuple(item for item in utterances if item.dialogue_id == name))
        for name in names
    )
    return Corpus(name="talk", classes=CLASSES, vad_range=(0.0, 5.0), dialogues=dialogues)


def _split(dialogue: int, last: int) -> Split:
    held_out: dict[int, Split] = {last: "test", last - 1: "validation"}
    return held_out.get(dialogue, "train")
