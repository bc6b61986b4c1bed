"""An OpenAI-style Batch API of the tests' own: it charges, it fails on request, and tells each stage to a test."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from helpers.labelling_endpoint import FakeEndpoint, completion, right_answer

STAGES = ("upload", "uploaded", "create", "created", "look", "output", "errors")
"""Stages of a batch: as a request comes, and, for the two that make something, before its response is sent."""

Executed = tuple[int, dict[str, Any]] | None
"""Status and body of one request of a batch; None if it is not executed before the batch ends."""


@dataclass(kw_only=True)
class Fate:
    """How a batch goes."""

    status: str = "completed"
    looks: int = 1
    """Times it is seen running."""
    execute: Callable[[dict[str, Any], int], Executed] = lambda body, row: (200, completion(right_answer(body)))
    error: dict[str, Any] | None = None
    """Of a batch that fails as a whole."""
    silent: bool = False
    """What was not executed has no line in the error file."""


@dataclass
class Batch:
    fields: dict[str, Any]
    fate: Fate
    looks: int = 0
    files: list[str] = field(default_factory=list)


class BatchEndpoint(FakeEndpoint):
    """Answers single requests too.

    Attributes:
        fates: Of batches, in the order they are created; beyond the last one, batches are completed.
        charged: Number of times that each request was charged for, in batches.
        reached: Stages so far.
        at: Is told each stage, in the server's thread; its true value leaves the request without a response.
        batches: By id.
    """

    def __init__(self) -> None:
        self.fates: list[Fate] = []
        self.charged = Counter[str]()
        self.reached: list[str] = []
        self.at: Callable[[str], bool] = lambda stage: False
        self.batches: dict[str, Batch] = {}
        self.files: dict[str, str] = {}
        self.can_list = True
        super().__init__()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        super().add_routes(router)
        router.add_post("/v1/files", self._upload)
        router.add_get("/v1/files/{id}/content", self._content)
        router.add_post("/v1/batches", self._create)
        router.add_get("/v1/batches", self._list)
        router.add_get("/v1/batches/{id}", self._look)

    def requests_of(self, batch: Batch) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[batch.fields["input_file_id"]].splitlines()]

    async def _reach(self, stage: str) -> None:
        self.reached.append(stage)
        if self.at(stage):
            raise web.HTTPServiceUnavailable

    async def _upload(self, request: web.Request) -> web.Response:
        await self._reach("upload")
        form = await request.post()
        assert form["purpose"] == "batch"
        uploaded = form["file"]
        assert isinstance(uploaded, web.FileField)
        file_id = self._store(uploaded.file.read().decode())
        await self._reach("uploaded")
        return web.json_response({"id": file_id, "object": "file", "purpose": "batch", "filename": uploaded.filename})

    async def _create(self, request: web.Request) -> web.Response:
        await self._reach("create")
        body = await request.json()
        assert (body["endpoint"], body["completion_window"]) == ("/v1/chat/completions", "24h")
        batch_id = f"batch_{len(self.batches)}"
        fields = {
            "id": batch_id,
            "object": "batch",
            "endpoint": body["endpoint"],
            "completion_window": "24h",
            "input_file_id": body["input_file_id"],
            "created_at": 2**31 + len(self.batches),
            "metadata": body["metadata"],
            "status": "validating",
        }
        fate = self.fates[len(self.batches)] if len(self.batches) < len(self.fates) else Fate()
        self.batches[batch_id] = Batch(fields, fate)
        await self._reach("created")
        return web.json_response(fields)

    async def _list(self, request: web.Request) -> web.Response:
        if not self.can_list:
            return web.json_response({"error": {"message": "no such route"}}, status=404)
        newest = [batch.fields for batch in reversed(self.batches.values())]
        start = next((row + 1 for row, each in enumerate(newest) if each["id"] == request.query.get("after")), 0)
        page = newest[start : start + 2]  # small, so that tests meet several
        more = start + 2 < len(newest)
        return web.json_response({"object": "list", "data": page, "has_more": more, "last_id": page and page[-1]["id"]})

    async def _look(self, request: web.Request) -> web.Response:
        await self._reach("look")
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return web.json_response({"error": {"message": "no such batch"}}, status=404)
        batch.looks += 1
        if batch.looks <= batch.fate.looks:
            batch.fields["status"] = "in_progress"
        elif not batch.files and batch.fields["status"] != batch.fate.status:
            self._end(batch)
        return web.json_response(batch.fields)

    async def _content(self, request: web.Request) -> web.Response:
        text = self.files[request.match_info["id"]]
        await self._reach("errors" if '"batch_expired"' in text or '"status_code": 4' in text else "output")
        return web.Response(text=text)

    def _end(self, batch: Batch) -> None:
        batch.fields["status"] = batch.fate.status
        if batch.fate.status == "failed":
            batch.fields["errors"] = {"object": "list", "data": [batch.fate.error]}
            return
        answers: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        requests = self.requests_of(batch)
        for row, asked in enumerate(requests):
            executed = batch.fate.execute(asked["body"], row)
            line: dict[str, Any] = {"id": f"r{row}", "custom_id": asked["custom_id"], "response": None, "error": None}
            if executed is None:
                line["error"] = {"code": f"batch_{batch.fate.status}", "message": "not executed"}
                errors += [] if batch.fate.silent else [line]
                continue
            status, body = executed
            line["response"] = {"status_code": status, "request_id": f"q{row}", "body": body}
            (answers if status == 200 else errors).append(line)
            self.charged[asked["custom_id"]] += status == 200
        # The order of answers is not that of requests.
        texts = ["".join(json.dumps(line) + "\n" for line in lines) for lines in (answers[::-1], errors)]
        for name, text in zip(("output_file_id", "error_file_id"), texts, strict=True):
            if text:
                batch.fields[name] = self._store(text)
                batch.files.append(batch.fields[name])
        counts = {"total": len(requests), "completed": len(answers), "failed": len(errors)}
        batch.fields["request_counts"] = counts

    def _store(self, text: str) -> str:
        file_id = f"file_{len(self.files)}"
        self.files[file_id] = text
        return file_id
