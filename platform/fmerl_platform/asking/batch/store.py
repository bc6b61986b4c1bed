"""Batches on disk: the file of requests before it is uploaded, and how far each batch has come.

Beside the journal: `batches/NAME.jsonl` holds the requests, `batches/NAME.json` the record. A record says no more than
is certain after a power cut, so that another process goes on where this one ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from fmerl.errors import InputError
from fmerl.files import replaced_file
from fmerl_platform.asking.batch.lines import read_request
from fmerl_platform.asking.ways import Ways

_REQUESTS, _RECORD = ".jsonl", ".json"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Record of one batch."""

    name: str
    """Unique; in the batch's metadata too."""
    base_url: str
    requests: int
    most_cost: float
    """Upper bound of its cost."""
    ways: Ways
    """How its requests fit the endpoint."""
    at: str
    """Time in UTC, ISO 8601."""
    file_id: str | None = None
    """Uploaded file; once it is here, the batch may have been created."""
    batch_id: str | None = None
    """The batch."""
    ended: str | None = None
    """The batch's last status; its answers are in the journal."""

    @property
    def seconds(self) -> float:
        """Time in seconds of the epoch."""
        return datetime.fromisoformat(self.at).timestamp()


class BatchStore:
    """The batches of a journal.

    Args:
        journal: The journal's folder, held by this process alone while it writes.
    """

    def __init__(self, journal: Path) -> None:
        self._folder = journal / "batches"

    def prepare(self, requests: Iterable[bytes], count: int, base_url: str, most_cost: float, ways: Ways) -> Submission:
        """Write requests and record, to be uploaded after."""
        self._folder.mkdir(parents=True, exist_ok=True)
        submission = Submission(
            name=uuid4().hex,
            base_url=base_url,
            requests=count,
            most_cost=most_cost,
            ways=ways,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with replaced_file(self.requests_file(submission)) as file:
            file.writelines(requests)
        return self.save(submission)

    def save(self, submission: Submission, **changes: Any) -> Submission:
        """Write the record with changes; it is on disk when this returns."""
        changed = replace(submission, **changes)
        with replaced_file(self.record_file(changed)) as file:
            file.write(json.dumps(asdict(changed), indent=2).encode() + b"\n")
        if changed.ended is not None:
            self.requests_file(changed).unlink(missing_ok=True)
        return changed

    def open(self) -> list[Submission]:
        """Batches whose answers are not all in the journal, oldest first.

        Raises:
            InputError: A record that is none.
        """
        records = [_read(path) for path in sorted(self._folder.glob(f"[!.]*{_RECORD}"))]
        return sorted((item for item in records if item.ended is None), key=lambda item: item.at)

    def requests(self, submission: Submission) -> dict[str, dict[str, Any]]:
        """Bodies of a batch's requests by key."""
        with self.requests_file(submission).open("rb") as lines:
            return dict(map(read_request, lines))

    def keys(self) -> set[str]:
        """Keys of the calls that are in open batches."""
        return {key for submission in self.open() for key in self.requests(submission)}

    def requests_file(self, submission: Submission) -> Path:
        return self._folder / f"{submission.name}{_REQUESTS}"

    def record_file(self, submission: Submission) -> Path:
        return self._folder / f"{submission.name}{_RECORD}"


def _read(path: Path) -> Submission:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Submission(**{**fields, "ways": Ways(**fields["ways"])})
    except (ValueError, TypeError, LookupError):
        raise InputError(path, "no record of a batch", "delete it; its requests will be made again") from None
