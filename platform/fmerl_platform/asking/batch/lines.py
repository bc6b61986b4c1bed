"""Lines of a batch's files: requests in, answers or errors out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fmerl_platform.asking.batch.client import COMPLETIONS

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Limits of a file of requests: "up to 50,000 requests, and can be up to 200 MB in size"
(https://platform.openai.com/docs/api-reference/batch/create)."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of an output or error file."""

    key: str
    status: int
    """HTTP status; 0 where the request was not executed."""
    body: Any
    """The response, or the error of a request that was not executed."""

    @property
    def text(self) -> str:
        """The response's body as it was sent."""
        return json.dumps(self.body)

    @property
    def error(self) -> Mapping[str, Any]:
        """Error fields, of a body in any form."""
        fields = self.body.get("error", self.body) if isinstance(self.body, dict) else self.body
        return fields if isinstance(fields, dict) else {"message": str(fields)}


def request_line(key: str, body: Mapping[str, Any]) -> bytes:
    """One request; its `custom_id` is the call's key, 64 characters long."""
    fields = {"custom_id": key, "method": "POST", "url": COMPLETIONS, "body": body}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def read_request(line: bytes) -> tuple[str, dict[str, Any]]:
    """Key and body of a request line."""
    fields = json.loads(line)
    return fields["custom_id"], fields["body"]


def read_lines(text: str) -> Iterator[Line]:
    """Lines of an output or error file; what is no such line, as a cut-off last one, is passed over."""
    for line in text.split("\n"):
        try:
            fields = json.loads(line)
            key, response = fields["custom_id"], fields.get("response")
            if response is None:
                yield Line(key=str(key), status=0, body=fields.get("error"))
            else:
                yield Line(key=str(key), status=int(response["status_code"]), body=response["body"])
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            continue


def files_of(
    requests: Iterable[tuple[str, bytes]], most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BYTES
) -> Iterator[list[tuple[str, bytes]]]:
    """Requests (key and line), in their order, as few files as the limits allow."""
    file: list[tuple[str, bytes]] = []
    size = 0
    for key, line in requests:
        if file and (len(file) == most_requests or size + len(line) > most_bytes):
            yield file
            file, size = [], 0
        file.append((key, line))
        size += len(line)
    if file:
        yield file
