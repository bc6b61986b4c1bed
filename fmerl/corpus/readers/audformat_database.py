"""Databases of audEERING's audformat: tables of files or of segments, read by the library of that name.

A header may hold YAML that runs code as audformat reads it, and a pickled table runs code as any pickle does: both are
refused before the library sees them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fmerl.config import DIMENSIONS
from fmerl.corpus.checks import SPAN_COLUMNS, TIME_COLUMNS
from fmerl.corpus.conversations import filled
from fmerl.corpus.dialogue import Corpus, Problem
from fmerl.corpus.readers.assembly import corpus_of
from fmerl.corpus.tables import Row
from fmerl.errors import InputError
from fmerl.extras import optional_module
from fmerl.user_text import read_text

_FORM = "give a folder that audformat's Database.save wrote, with db.yaml and its tables"
_LONGEST = 160
"""Characters of the library's own words in an error."""
_TABLES_SPLIT = "split of the tables"
_VIDEO = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")


@dataclass(frozen=True, kw_only=True)
class AudformatFields:
    """Schemes, or columns, of a database."""

    emotion: str = "emotion"
    speaker: str = "speaker"
    text: str = "transcription"
    dialogue: str | None = None
    """The dialogue; the file of a segment unless given."""
    split: str | None = None
    """The split; that of the emotions' tables unless given."""


def read_audformat(
    folder: Path,
    fields: AudformatFields,
    *,
    tables: Sequence[str] | None = None,
    vad_range: tuple[float, float] | None = None,
) -> tuple[Corpus, list[Problem]]:
    """Read an audformat database.

    An utterance is a segment or a file that the emotions' tables list, or a segment of a file of theirs that has a text
    alone, which is context. Segments of a file are ordered by their start, files as their table has them. A segment
    gets its file as `video_path` with its span, from which its sound is read as well.

    Args:
        folder: With `db.yaml`.
        fields: What stands where.
        tables: Tables that the emotions are taken from, where several disagree.
        vad_range: Of valence, arousal and dominance; that of their schemes unless given.

    Raises:
        InputError: No such database; a header or a table that runs code; no such field; files without dialogues; two
            emotions of one segment; see `corpus_of`.
    """
    audformat = optional_module("audformat", "audformat")
    _refuse_code(folder)
    problems: list[Problem] = []
    try:
        database = audformat.Database.load(str(folder))
        frame = _frame(optional_module("pandas", "audformat"), database, fields, tables)
    except InputError:
        raise
    except Exception as error:  # whatever a broken database makes the library raise
        what = f"audformat cannot read it ({' '.join(str(error).split())[:_LONGEST] or type(error).__name__})"
        remedy = "mend the database; --tables names the tables of the emotions, where several disagree"
        raise InputError(folder, what, remedy) from None
    segmented = frame.index.nlevels > 1
    if not segmented and fields.dialogue is None:
        raise InputError(folder, "its emotions are of whole files", "name the field of their dialogue: --dialogue")
    rows = _rows(folder, frame, fields, problems)
    if all(not row["text"] for row in rows):
        what = f"no text in {fields.text}"
        problems.append(Problem(where="db.yaml", row=0, what=what, action="texts are empty", on_screen=True))
    labelled = fields.emotion in database.schemes and database.schemes[fields.emotion].labels is not None
    order = list(map(str, database.schemes[fields.emotion].labels_as_list)) if labelled else []
    corpus = corpus_of(
        rows,
        database.name,
        problems,
        vad_range=vad_range or _range(database),
        order=order,
        split_field=fields.split,
    )
    return corpus, problems


def _refuse_code(folder: Path) -> None:
    path = folder / "db.yaml"
    # The parser that audformat takes, so that both see the same document.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        header = yaml.load(read_text(path, _FORM), Loader=loader)
    except yaml.constructor.ConstructorError as error:
        raise InputError(path, f"its YAML makes objects of its own ({error.problem})", _FORM) from None
    except yaml.YAMLError as error:
        raise InputError(path, f"no YAML ({' '.join(str(error).split())[:_LONGEST]})", _FORM) from None
    if not isinstance(header, dict):
        raise InputError(path, "no header of a database", _FORM)
    listed = (header.get(key) for key in ("misc_tables", "tables"))
    for table in (table for tables in listed if isinstance(tables, dict | list) for table in tables):
        pickled = folder / f"db.{table}.pkl"
        if pickled.exists():
            remedy = "take it away if a CSV or Parquet file of the table is there, else save it as one with audformat"
            raise InputError(pickled, "a pickled table, which can run code", remedy)


def _frame(pandas: Any, database: Any, fields: AudformatFields, tables: Sequence[str] | None) -> Any:
    """A data frame of the utterances by file, or by file, start and end, with a column for each field that is there."""
    for table in tables or ():
        if table not in database.tables:
            raise InputError(f"--tables {table}", "no such table", f"take some of {', '.join(database.tables)}")
    wanted = [fields.speaker, fields.text, *filter(None, (fields.dialogue, fields.split)), *DIMENSIONS]
    frame = database.get(fields.emotion, wanted, tables=tables)
    if fields.emotion not in frame or frame[fields.emotion].isna().all():
        columns = (name for table in database.tables.values() for name in table.columns)
        found = ", ".join(dict.fromkeys([*database.schemes, *columns]))
        what = f"{database.name} has no values of {fields.emotion} (found: {found})"
        raise InputError("--emotion", what, "name the field that holds the emotions")
    if frame.index.nlevels > 1:
        # What was said in between: segments of these files that have a text and no emotion.
        spoken = database.get(fields.text, [name for name in wanted if name != fields.text])
        files = frame.index.unique("file")
        if spoken.index.nlevels > 1:
            spoken = spoken[spoken.index.get_level_values("file").isin(files) & ~spoken.index.isin(frame.index)]
            frame = pandas.concat([frame.astype(object), spoken.astype(object)])
    if fields.split is None:
        frame = frame.assign(**{_TABLES_SPLIT: _splits(database, fields, tables, frame)})
    return frame.astype(object).where(frame.notna(), None)


def _splits(database: Any, fields: AudformatFields, tables: Sequence[str] | None, frame: Any) -> list[str]:
    """The split of each row's file by the tables of the emotions: its type, or its name where that says nothing."""
    of_file: dict[str, str] = {}
    for split_id, split in database.splits.items():
        name = split.type if split.type in ("train", "dev", "test") else split_id
        of_split = database.get(fields.emotion, tables=tables, splits=split_id)
        for file in of_split.index.get_level_values("file"):
            if of_file.setdefault(file, name) != name:
                what = f"it is in splits {of_file[file]} and {name}"
                raise InputError(f"file {file}", what, "name the field of the splits: --split")
    return [of_file.get(file, "") for file in frame.index.get_level_values("file")]


def _rows(folder: Path, frame: Any, fields: AudformatFields, problems: list[Problem]) -> list[Row]:
    """A row per utterance, those of a file together and in order of time; what is left out is listed."""
    segmented = frame.index.nlevels > 1
    split = fields.split or _TABLES_SPLIT
    files: dict[str, int] = {}
    of_dialogue: dict[str, set[str]] = {}
    partial: Counter[str] = Counter()
    found: list[tuple[int, float, dict[str, str]]] = []
    for index, values in zip(frame.index, frame.to_dict("records"), strict=True):
        file, start, end = (index[0], *map(_seconds, index[1:])) if segmented else (index, "", "")
        name = f"{file}#{'-'.join(filter(None, (start, end)))}" if segmented else file
        cells = {
            "utterance_id": name,
            "dialogue_id": file if fields.dialogue is None else _text(values[fields.dialogue]),
            "speaker": _text(values[fields.speaker]),
            "text": _text(values[fields.text]),
            "emotion": _text(values[fields.emotion]),
            "split": _text(values[split]),
            **dict(zip(TIME_COLUMNS, (start, end), strict=True)),
        }
        if not cells["speaker"]:
            what = f"no {fields.speaker} of {name}"
            raise InputError(folder, what, "name the field that holds the speakers: --speaker")
        scores = {dimension: score for dimension in DIMENSIONS if (score := _text(values[dimension]))}
        if len(scores) == len(DIMENSIONS):
            cells |= scores
        elif scores:
            partial[" and ".join(scores)] += 1
        path = (folder / file).resolve()
        if file not in files and not path.is_file():
            problems.append(Problem(where=file, row=0, what="no such file", action="kept without audio and video"))
        if path.is_file():
            cells |= _media(path, start, end) if segmented else _media(path)
        of_dialogue.setdefault(cells["dialogue_id"], set()).add(file)
        found.append((files.setdefault(file, len(files)), float(start or 0), cells))
    for given, count in partial.items():
        what = f"{count} utterances with {given} alone"
        problems.append(Problem(where="db.yaml", row=0, what=what, action="scores left out", on_screen=True))
    if segmented:
        if joined := sum(len(names) > 1 for names in of_dialogue.values()):
            what, action = f"{joined} dialogues of several files", "in the order of their files, then of time"
            problems.append(Problem(where="db.yaml", row=0, what=what, action=action, on_screen=True))
        found.sort(key=lambda item: item[:2])
    return filled(Row(folder, number, cells) for number, (_, _, cells) in enumerate(found, start=1))


def _media(path: Path, *span: str) -> dict[str, str]:
    """Cells of the media: a span needs the columns of a video, from which sound is read as well."""
    if span or path.suffix.lower() in _VIDEO:
        return {"video_path": str(path), **dict(zip(SPAN_COLUMNS, span, strict=False))}
    return {"audio_path": str(path)}


def _range(database: Any) -> tuple[float, float] | None:
    """The range that the schemes of all three scores share."""
    ranges = {
        (database.schemes[name].minimum, database.schemes[name].maximum) if name in database.schemes else (None, None)
        for name in DIMENSIONS
    }
    low, high = ranges.pop()
    return None if ranges or low is None or high is None else (float(low), float(high))


def _seconds(time: Any) -> str:
    """Seconds to the microsecond; empty for an end that is that of the file."""
    seconds = time.total_seconds()
    return "" if math.isnan(seconds) else f"{seconds:.6f}".rstrip("0").rstrip(".")


def _text(value: Any) -> str:
    return "" if value is None else str(value)
