"""Test rows that predictions are scored on: from a corpus folder, or from what a study left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from fmerl.config import DIMENSIONS
from fmerl.corpus import Corpus, read_corpus
from fmerl.corpus.inspection import repeats_of_train
from fmerl.errors import InputError
from fmerl_platform.ledger.results import CorpusCells

_COLUMNS = ("utterance_id", "dialogue_id", "turn", "speaker", "split", "gold")


@dataclass(frozen=True, kw_only=True)
class Gold:
    """U test rows of a corpus, context without a label among them."""

    corpus: str
    classes: tuple[str, ...]
    """Names in label order."""
    rows: pa.Table
    """`utterance_id`, `dialogue_id`, `turn`, `speaker`, `split`, `gold`, in turn order, [U]; `fold` too where they are
    of a study in folds."""
    known: frozenset[str]
    """Ids of the corpus, as far as they are known: rows of other splits are no error in a file."""
    repeats: frozenset[str] = frozenset()
    """Test ids whose very text is in train."""
    vad: pa.Table | None = None
    """Human valence, arousal and dominance of the rows, null where there is none, [U]."""

    @cached_property
    def position(self) -> dict[str, int]:
        """Row of each test utterance, by id."""
        return {name: row for row, name in enumerate(self.rows["utterance_id"].to_pylist())}

    @cached_property
    def labelled(self) -> list[str]:
        """Ids that must be predicted."""
        return self.rows.filter(pc.field("gold").is_valid())["utterance_id"].to_pylist()


def gold_of_folder(folder: Path) -> Gold:
    """The test rows of a corpus folder; raises InputError as `read_corpus` does."""
    corpus = read_corpus(folder)
    test = [item for dialogue in corpus.dialogues if dialogue.split == "test" for item in dialogue.utterances]
    return Gold(
        corpus=corpus.name,
        classes=corpus.classes,
        rows=pa.table(
            {
                "utterance_id": [item.utterance_id for item in test],
                "dialogue_id": [item.dialogue_id for item in test],
                "turn": [item.turn for item in test],
                "speaker": [item.speaker for item in test],
                "split": ["test"] * len(test),
                "gold": pa.array([item.emotion for item in test], pa.string()),
            }
        ),
        known=frozenset(item.utterance_id for item in corpus.utterances()),
        repeats=frozenset(repeats_of_train(corpus)),
        vad=_human_vad(corpus, [item.utterance_id for item in test]),
    )


def _human_vad(corpus: Corpus, ids: Sequence[str]) -> pa.Table | None:
    by_id = {item.utterance_id: item for item in corpus.utterances()}
    columns = {name: pa.array([getattr(by_id[key], name) for key in ids], pa.float64()) for name in DIMENSIONS}
    return pa.table(columns) if any(len(column) > column.null_count for column in columns.values()) else None


def gold_of_study(results: CorpusCells) -> Gold:
    """The test rows that a study's cells were tested on.

    Raises:
        InputError: No cell of the study has finished.
    """
    if not results.tested:
        raise InputError(results.corpus, "no cell of the study has finished on it", "run the study first")
    predictions = results.tested[0].predictions
    columns = [*_COLUMNS, *({"fold"} & {*predictions.column_names})]
    return Gold(
        corpus=results.corpus,
        classes=results.classes,
        rows=predictions.filter(pc.field("split") == "test").select(columns),
        known=frozenset(predictions["utterance_id"].to_pylist()),
        repeats=results.repeats,
    )


def with_study(gold: Gold, results: CorpusCells) -> Gold:
    """The rows of a folder, in a study's order.

    Raises:
        InputError: The study's cells were tested on other utterances or labels.
    """
    theirs = gold_of_study(results)
    ours, order = gold.position, theirs.rows["utterance_id"].to_pylist()
    if set(ours) != set(order):
        raise InputError(
            f"--corpus, {gold.corpus}",
            f"its test utterances are not those of the study's {results.corpus}",
            "give the folder that the study was run on, or leave --corpus out",
        )
    rows = [ours[name] for name in order]
    taken = gold.rows.take(rows)
    if gold.classes != theirs.classes or not taken["gold"].equals(theirs.rows["gold"]):
        raise InputError(
            f"--corpus, {gold.corpus}",
            "its test labels are not those of the study",
            "give the folder that the study was run on, or leave --corpus out",
        )
    return replace(gold, rows=theirs.rows, vad=None if gold.vad is None else gold.vad.take(rows))
