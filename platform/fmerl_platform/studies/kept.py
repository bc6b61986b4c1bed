"""Record of the published report, so that a rerun of a finished study neither analyses nor draws it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from fmerl.card import recipe_digest
from fmerl.files import replaced_file
from fmerl_platform.ledger.cells import failure_reasons, finished_cells
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import engine_digest
from fmerl_platform.report.document import ReportPaths
from fmerl_platform.report.table import Table
from fmerl_platform.study.record import StudyRecord

_FILE = ".published.json"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published report."""

    key: str
    """Hash of everything it was made from."""
    paths: ReportPaths
    tables: tuple[Table, ...]
    """Tables for a terminal."""
    warnings: tuple[str, ...] = ()
    """Warnings for a terminal."""


_JSON = TypeAdapter(Published)


def key_of(experiment: Experiment, record: StudyRecord, others: Sequence[Experiment]) -> str:
    """Hash of all that a report is made from: record, runs of the finished cells, failures, the code.

    Args:
        experiment: Of the study.
        record: Of the study.
        others: Studies whose cells the report shows beside it.
    """
    cells = [cell for each in (experiment, *others) for cell in finished_cells(each)]
    return recipe_digest(
        {
            "record": json.loads(record.json()),
            "runs": [[cell.run_id, cell.superseded, *cell.conditions] for cell in cells],
            "failures": failure_reasons(experiment),
            "tracking": experiment.uri,
            "code": engine_digest(),
        }
    )


def read(folder: Path, key: str) -> Published | None:
    """The report last published to `folder`; None unless its key is the same and all its files are there."""
    try:
        published = _JSON.validate_json((folder / _FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    paths = published.paths
    files = [paths.html, paths.markdown, paths.latex, *([paths.rows] if paths.rows else []), *paths.figures]
    return published if published.key == key and all(path.exists() for path in files) else None


def write(folder: Path, published: Published) -> None:
    """Record the report published to `folder`."""
    with replaced_file(folder / _FILE) as file:
        file.write(_JSON.dump_json(published))
