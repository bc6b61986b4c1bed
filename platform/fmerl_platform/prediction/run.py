"""Predictions from start to end: turns -> pieces of whole dialogues -> features -> models -> rows.

A small input is predicted at once, in this process. A large one goes piece by piece: memory holds one of them, features
are made by extraction on Ray Data, and every finished piece is on disk, so that the same command resumes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fmerl.bundle.predictor import Predictor
from fmerl.card import recipe_digest
from fmerl.corpus.conversations import pieces, read_turns, table_of
from fmerl.corpus.dialogue import Utterance
from fmerl.errors import InputError
from fmerl.files import file_digest, replaced_file
from fmerl_platform.prediction.features import at_hand, extracted
from fmerl_platform.prediction.request import SMALL, PredictionRequest
from fmerl_platform.prediction.rows import check_output, write_rows
from fmerl_platform.prediction.source import open_bundle
from fmerl_platform.running.progress import Counting, uncounted


@dataclass(frozen=True, kw_only=True)
class PredictionPlan:
    """A request whose bundle and first piece were read."""

    request: PredictionRequest
    predictor: Predictor
    first: Sequence[Utterance]
    """The first utterances, whole dialogues."""
    rest: Iterator[list[Utterance]]
    large: bool
    """True if the input is predicted piece by piece."""


def plan_predictions(request: PredictionRequest) -> PredictionPlan:
    """Read the bundle and the first piece, and check what can be checked before anything is encoded.

    Raises:
        InputError: No bundle, no turn, or a row that is no utterance.
    """
    bundle = open_bundle(request.bundle, request.storage, request.classes, request.anchor_encoder)
    read = pieces(read_turns(request.input, request.split), bundle.manifest.vad_range, request.piece)
    first = next(read, None)
    if first is None:
        raise InputError(request.input, "it has no turn", "give at least one row")
    second = next(read, None)
    return PredictionPlan(
        request=request,
        predictor=Predictor(bundle, request.places),
        first=first,
        rest=read if second is None else chain([second], read),
        large=second is not None or len(first) > SMALL,
    )


def predictions(plan: PredictionPlan, counting: Counting = uncounted) -> Iterator[pa.Table]:
    """Rows of each piece, in the order of the input."""
    request, predictor = plan.request, plan.predictor
    if not plan.large:
        if request.features is None:
            yield predictor.predict(plan.first, request.folder, request.media_roots)
        else:
            yield _by_tables(plan, plan.first)
        return
    from fmerl_platform.running.lock import exclusive
    from fmerl_platform.running.session import ray_session

    home = _home(plan)
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        held.enter_context(exclusive(home / ".lock", "this input is being predicted already", "wait for the other run"))
        for number, utterances in enumerate(chain([plan.first], plan.rest)):
            part = home / f"part-{number:06}.parquet"
            if not part.is_file():
                if request.features is None:
                    held.enter_context(ray_session())
                    features = extracted(utterances, predictor, request, home, counting)
                    rows = predictor.predict_features(utterances, features)
                else:
                    rows = _by_tables(plan, utterances)
                with replaced_file(part) as file:
                    pq.write_table(rows, file)
            yield pq.read_table(part)


def predict_to_file(plan: PredictionPlan, output: Path, counting: Counting = uncounted) -> int:
    """Write predictions to a CSV, JSON lines or Parquet file, whole or not at all; returns the number of rows.

    Raises:
        InputError: A file of another kind, or bad input, when it is reached.
    """
    check_output(output)
    count = write_rows(output, predictions(plan, counting))
    if plan.large:
        shutil.rmtree(_home(plan))
    return count


def _by_tables(plan: PredictionPlan, utterances: Sequence[Utterance]) -> pa.Table:
    request = plan.request
    assert request.features is not None
    tables = at_hand(utterances, plan.predictor, request.features, request.input)
    return plan.predictor.predict_features(utterances, tables)


def _files(table: Path) -> list[Path]:
    return sorted(path for path in table.rglob("*") if path.is_file()) if table.is_dir() else [table]


def _home(plan: PredictionPlan) -> Path:
    """Folder of finished pieces, named by a hash of all that decides the rows."""
    request, manifest = plan.request, plan.predictor.bundle.manifest
    key = recipe_digest(
        {
            "bundle": manifest.as_json(),
            "input": [file_digest(path) for path in _files(table_of(request.input))],
            "folder": str(request.folder.resolve()),
            "split": request.split,
            "features": None if request.features is None else str(request.features.resolve()),
            "places": {name: value and str(value) for name, value in asdict(request.places).items()},
            "piece": request.piece,
        }
    )
    return request.storage / "predictions" / key[:16]
