"""An endpoint's files and batches (OpenAI's Batch API: files.create, batches.create, retrieve, list, files.content)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from fmerl_platform.asking.endpoint import EndpointClient

COMPLETIONS: Literal["/v1/chat/completions"] = "/v1/chat/completions"
"""Where each request of a batch goes."""

_WINDOW: Literal["24h"] = "24h"
"""The one completion window there is."""
_OWN = "fmerl"
"""Key of our name for a batch in its metadata."""
_ENDED = {"completed", "failed", "expired", "cancelled"}
_PAGE = 100
"""Batches listed at once; the most that is allowed."""
_CLOCK_SECONDS = 3600
"""Difference of clocks up to which a batch counts as younger than ours."""
_TRANSFER_SECONDS = 900.0
"""Limit of one upload or download: 200 MB at .25 MB/s."""


@dataclass(frozen=True, kw_only=True)
class BatchState:
    """A batch as the endpoint tells it."""

    id: str
    status: str
    output_file: str | None
    """Answers, in no order."""
    error_file: str | None
    """Requests that failed or expired."""
    completed: int
    failed: int
    errors: tuple[tuple[str, str], ...]
    """Codes and messages of a batch that was refused as a whole."""

    @property
    def ended(self) -> bool:
        return self.status in _ENDED


class BatchClient:
    """Requests about files and batches; each raises RequestFailedError.

    Args:
        client: Client of the endpoint.
        seconds: Limit of an upload or a download.
    """

    def __init__(self, client: EndpointClient, seconds: float = _TRANSFER_SECONDS) -> None:
        self._client, self._seconds = client, seconds

    async def upload(self, path: Path) -> str:
        """Id of the file of requests at the endpoint, where it expires by itself."""
        content = path.read_bytes()
        uploaded = await self._client.request(
            lambda api: api.files.create(file=(path.name, content), purpose="batch", timeout=self._seconds),
            self._seconds,
        )
        return uploaded.id

    async def create(self, file_id: str, name: str) -> BatchState:
        """Start a batch, which from here on costs money."""
        batch = await self._client.request(
            lambda api: api.batches.create(
                input_file_id=file_id, endpoint=COMPLETIONS, completion_window=_WINDOW, metadata={_OWN: name}
            )
        )
        return _state(batch)

    async def find(self, file_id: str, name: str, since: float) -> BatchState | None:
        """The batch of our file or name; None if there is none.

        Args:
            file_id: Its input file.
            name: Its name in the metadata.
            since: Time before it was created, in seconds of the epoch.
        """
        page = await self._client.request(lambda api: api.batches.list(limit=_PAGE))
        while True:
            for batch in page.data:
                if (batch.metadata or {}).get(_OWN) == name or batch.input_file_id == file_id:
                    return _state(batch)
            # The newest come first.
            if not page.has_next_page() or page.data[-1].created_at < since - _CLOCK_SECONDS:
                return None
            page = await self._client.request(partial(_next_page, page))

    async def state(self, batch_id: str) -> BatchState:
        return _state(await self._client.request(lambda api: api.batches.retrieve(batch_id)))

    async def content(self, file_id: str) -> str:
        """A file's text, without the key."""

        async def download(api: Any) -> str:
            return (await api.files.content(file_id, timeout=self._seconds)).text

        return self._client.redact(await self._client.request(download, self._seconds))


async def _next_page(page: Any, api: Any) -> Any:
    return await page.get_next_page()


def _state(batch: Any) -> BatchState:
    counts, errors = batch.request_counts, batch.errors
    return BatchState(
        id=batch.id,
        status=str(batch.status),
        output_file=batch.output_file_id or None,
        error_file=batch.error_file_id or None,
        completed=counts.completed if counts else 0,
        failed=counts.failed if counts else 0,
        errors=tuple((error.code or "no code", error.message or "") for error in (errors and errors.data) or ()),
    )
