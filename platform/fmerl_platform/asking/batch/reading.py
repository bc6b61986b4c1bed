"""A batch's answers and errors into the journal, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from fmerl_platform.asking.asker import answered_entry, failed_entry
from fmerl_platform.asking.batch.client import BatchClient, BatchState
from fmerl_platform.asking.batch.lines import Line, read_lines
from fmerl_platform.asking.batch.store import Submission
from fmerl_platform.asking.endpoint import EndpointClient, RequestFailedError
from fmerl_platform.asking.journal import Entry, JournalReader, JournalWriter
from fmerl_platform.asking.prices import Tokens, longest_answer, most_tokens
from fmerl_platform.asking.ways import Refusal

_AT_ONCE = 1000
"""Entries that share a write to the disk."""

Requests = Mapping[str, Mapping[str, Any]]
"""Bodies by key."""


class BatchReader:
    """Reads ended batches.

    Args:
        client: Client of the endpoint, which learns from refusals.
        files: Its files.
        journal: Entries so far.
        writer: Takes the new ones.
    """

    def __init__(
        self, client: EndpointClient, files: BatchClient, journal: JournalReader, writer: JournalWriter
    ) -> None:
        self._client, self._files, self._journal, self._writer = client, files, journal, writer

    async def read(
        self, submission: Submission, state: BatchState, requests: Requests
    ) -> dict[str, RequestFailedError]:
        """Journal every line of a batch; returns the requests without an answer.

        Args:
            submission: The batch.
            state: Its last state.
            requests: What was asked.

        Raises:
            RequestFailedError: A file cannot be read.
        """
        self._journal.refresh()
        failures: dict[str, RequestFailedError] = {}
        seen: set[str] = set()
        for file_id in (state.output_file, state.error_file):
            if file_id is None:
                continue
            entries = []
            for line in read_lines(await self._files.content(file_id)):
                if line.key in requests and line.key not in seen:
                    seen.add(line.key)
                    entry, failure = self._entry(line, requests[line.key], submission, state)
                    entries += [entry] if entry is not None else []
                    failures |= {line.key: failure} if failure is not None else {}
            await self._append(entries, submission)
        lost = self._lost(requests, seen, submission, state)
        await self._append([entry for entry, _ in lost.values() if entry is not None], submission)
        return failures | {key: failure for key, (_, failure) in lost.items()}

    def has_read(self, key: str, submission: Submission) -> bool:
        """Whether the journal has an entry of this batch for a call."""
        return any(entry.batch == submission.batch_id for entry in self._journal.entries.get(key, ()))

    def _entry(
        self, line: Line, body: Mapping[str, Any], submission: Submission, state: BatchState
    ) -> tuple[Entry | None, RequestFailedError | None]:
        """The line's entry, if it is an answer, a refusal or may be charged for; and its failure, if it is one."""
        tokens, ways = most_tokens(body), submission.ways
        if line.status == 200:
            try:
                reply = self._client.read(line.text, longest_answer(body))
            except RequestFailedError as unread:
                return failed_entry(line.key, tokens, unread, ways, batch=state.id), unread
            return answered_entry(line.key, reply.tokens or tokens, reply, ways, batch=state.id), None
        message = " ".join(str(line.error.get(name) or "") for name in ("code", "message")).strip()
        if not line.status:
            return None, RequestFailedError(f"batch {state.id}: {self._client.redact(message)}", passing=True)
        refusal = Refusal(status=line.status, field=str(line.error.get("param") or ""), words=str(line.body))
        failure = self._client.failure_of(refusal, message, submission.ways)
        return failed_entry(line.key, Tokens(), failure, ways, batch=state.id) if failure.refused else None, failure

    def _lost(
        self, requests: Requests, seen: Collection[str], submission: Submission, state: BatchState
    ) -> dict[str, tuple[Entry | None, RequestFailedError]]:
        """Requests without a line. A completed batch owes one for each: they count as charged for."""
        failure = RequestFailedError(f"no line of it in batch {state.id}, which is {state.status}", passing=True)
        charged = state.status == "completed"
        return {
            key: (
                failed_entry(key, most_tokens(body), failure, submission.ways, batch=state.id) if charged else None,
                failure,
            )
            for key, body in requests.items()
            if key not in seen
        }

    async def _append(self, entries: list[Entry], submission: Submission) -> None:
        """Journal entries, but those that were journaled when the batch was read before."""
        fresh = [entry for entry in entries if not self.has_read(entry.key, submission)]
        for start in range(0, len(fresh), _AT_ONCE):
            await asyncio.gather(*(self._writer.append(entry) for entry in fresh[start : start + _AT_ONCE]))
