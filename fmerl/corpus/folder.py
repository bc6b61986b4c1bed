"""The corpus folder: `corpus.json` beside `utterances.parquet` or `utterances.csv`.

Identifiers (utterance, dialogue, speaker) join this table with feature tables and label sets, so they
are taken as they stand: white space around them is an error, never stripped. Texts are kept verbatim.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fmerl.config import DIMENSIONS
from fmerl.corpus.checks import SPAN_COLUMNS, TIME_COLUMNS, check_splits, checked_utterances, is_identifier
from fmerl.corpus.dialogue import Corpus, Dialogue, Problem, Utterance
from fmerl.corpus.parquet_tables import read_parquet
from fmerl.corpus.tables import read_csv
from fmerl.errors import InputError
from fmerl.files import replaced_file, write_csv
from fmerl.user_text import read_json

REQUIRED_COLUMNS = ("utterance_id", "dialogue_id", "turn", "speaker", "text", "emotion", "split")
OPTIONAL_COLUMNS = (*DIMENSIONS, "audio_path", "video_path", *SPAN_COLUMNS, "video_side", *TIME_COLUMNS)
_NUMBERS = (*DIMENSIONS, *SPAN_COLUMNS, *TIME_COLUMNS)

_SCHEMA = pa.schema(
    [
        (name, pa.int64() if name == "turn" else pa.float64() if name in _NUMBERS else pa.string())
        for name in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    ]
)


def read_corpus(folder: Path) -> Corpus:
    """Read a corpus folder.

    Dialogues keep the order of their first rows; each is sorted by turn, gaps allowed. An empty emotion
    makes an utterance context only. Rows are counted in records, the header being row 1.

    Raises:
        InputError: Anything that keeps the folder from being a corpus with labelled utterances in all
            three splits, each dialogue in one of them.
    """
    header = read_header(folder / "corpus.json")
    table, csv_table = folder / "utterances.parquet", folder / "utterances.csv"
    if table.exists() == csv_table.exists():
        count = "both" if table.exists() else "neither"
        raise InputError(folder, f"{count} of {table.name} and {csv_table.name}", "keep exactly one of them there")
    if table.exists():
        rows = read_parquet(table, REQUIRED_COLUMNS, OPTIONAL_COLUMNS)
    else:
        rows = read_csv(table := csv_table, REQUIRED_COLUMNS, OPTIONAL_COLUMNS)
    utterances = checked_utterances(rows, header)
    check_splits(table, utterances)
    turns: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        turns.setdefault(utterance.dialogue_id, []).append(utterance)
    dialogues = (
        Dialogue(dialogue_id=name, utterances=tuple(sorted(members, key=lambda utterance: utterance.turn)))
        for name, members in turns.items()
    )
    return replace(header, dialogues=tuple(dialogues))


def write_corpus(corpus: Corpus, folder: Path, problems: Sequence[Problem] = ()) -> None:
    """Write a corpus folder, replacing the one that is there.

    `corpus.json` is removed first and written last, each file in one step: a folder whose writer was
    killed has none, and `read_corpus` refuses it.

    Args:
        problems: Odd rows that the corpus's reader met, written to `problems.csv`.

    Raises:
        InputError: The folder holds a `utterances.csv`, which is not ours to remove.
    """
    if (folder / "utterances.csv").exists():
        raise InputError(folder, "utterances.csv is there, beside which none can be written", "choose another folder")
    table = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist([asdict(utterance) for utterance in corpus.utterances()], schema=_SCHEMA), table
    )
    header: dict[str, Any] = {"name": corpus.name, "classes": corpus.classes, "vad_range": corpus.vad_range}
    if corpus.unseen_class is not None:
        header["unseen_class"] = corpus.unseen_class
    if corpus.class_map:
        header["class_map"] = dict(corpus.class_map)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.json").unlink(missing_ok=True)
    rows = [(problem.where, problem.row, problem.what, problem.action) for problem in problems]
    write_csv(folder / "problems.csv", ("where", "row", "what", "action"), rows)
    with replaced_file(folder / "utterances.parquet") as file:
        file.write(table.getvalue())
    with replaced_file(folder / "corpus.json") as file:
        file.write((json.dumps(header, indent=2, ensure_ascii=False) + "\n").encode())


def media_file(folder: Path, path: str) -> Path:
    """The absolute path of an utterance's `audio_path` or `video_path`.

    Args:
        folder: The corpus folder, where a path that is not absolute starts.
        path: With `/` between its parts.

    Example:
        >>> media_file(Path("/data/corpus"), "../clips/hello.mp4")
        PosixPath('/data/clips/hello.mp4')
    """
    return (folder / path).resolve()


def read_header(path: Path) -> Corpus:
    """The corpus of a `corpus.json`, without its dialogues.

    Raises:
        InputError: No such file, or one that is no header.
    """
    remedy = 'write {"name": …, "classes": […], "vad_range": [low, high]}, with "unseen_class" if there is one'
    header = read_json(path, remedy)
    if not isinstance(header, dict):
        raise InputError(path, "not a JSON object", remedy)
    for key in ("name", "classes", "vad_range"):
        if key not in header:
            raise InputError(path, f"missing key {key}", remedy)
    name, classes, vad_range = header["name"], header["classes"], header["vad_range"]
    unseen_class = header.get("unseen_class")
    if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)):
        raise InputError(path, f"name {name!r} cannot name a folder", "use letters, digits, dots, dashes, underscores")
    if not (isinstance(classes, list) and len(classes) > 1 and all(map(is_identifier, classes))):
        raise InputError(path, f"classes {classes!r} are not two or more names", "list every class, in label order")
    if len(set(classes)) < len(classes):
        raise InputError(path, f"classes {classes!r} repeat a name", "list every class once, in label order")
    if not (isinstance(vad_range, list) and len(vad_range) == 2 and all(map(_is_number, vad_range))):
        raise InputError(path, f"vad_range {vad_range!r} is not two numbers", "give the lowest and highest score")
    if not 0 < float(vad_range[1]) - float(vad_range[0]) < sys.float_info.max:
        raise InputError(path, f"vad_range {vad_range!r} is empty or endless", "give the lowest score first")
    if unseen_class is not None and unseen_class not in classes:
        remedy = f"take one of {', '.join(classes)}, or leave the key out"
        raise InputError(path, f"unseen_class {unseen_class!r} is no class", remedy)
    class_map = header.get("class_map", {})
    if not (isinstance(class_map, dict) and all(new is None or new in classes for new in class_map.values())):
        what = f"class_map {class_map!r} names what is no class"
        raise InputError(path, what, "give the class, or null, that each earlier one became, or leave the key out")
    return Corpus(
        name=name,
        classes=tuple(classes),
        vad_range=(float(vad_range[0]), float(vad_range[1])),
        dialogues=(),
        unseen_class=unseen_class,
        class_map=class_map,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < sys.float_info.max
