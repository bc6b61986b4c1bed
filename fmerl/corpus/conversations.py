"""Conversations to predict, from files that need no more than a speaker and a text for each turn.

CSV, Parquet, JSON lines, chat JSON (messages with role and content, or segments of a transcript), or a corpus folder.
What a turn does not say is filled in: without `dialogue_id` all turns are one conversation, without `turn` they are in
the order of the file, without `utterance_id` they are numbered. Files of any size are read piece by piece.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fmerl.config import DIMENSIONS
from fmerl.corpus.checks import SPAN_COLUMNS, TIME_COLUMNS, checked_utterances
from fmerl.corpus.dialogue import SPLITS, Corpus, Dialogue, Utterance
from fmerl.corpus.parquet_tables import stream_parquet
from fmerl.corpus.tables import Row, parse_csv, stream_csv
from fmerl.errors import InputError
from fmerl.user_text import decoded, parse_json, read_json, read_json_lines

PIECE = 20_000
"""Utterances of a piece; a longer conversation makes a longer one."""

_REQUIRED = ("speaker", "text")
MEDIA_COLUMNS = ("audio_path", "video_path", *SPAN_COLUMNS, "video_side", *TIME_COLUMNS)
_OPTIONAL = ("utterance_id", "dialogue_id", "turn", "split", *MEDIA_COLUMNS)
_TURNS = ("messages", "segments", "turns")
_SAME = {"role": "speaker", "name": "speaker", "content": "text", "id": "utterance_id", "index": "turn"}
_SHARED = (*MEDIA_COLUMNS, "split")
"""Columns that a conversation may give for all its turns."""
_SPANS = {"start": "video_start", "end": "video_end"}
_CHAT = 'write [{"speaker": …, "text": …}, …], or {"messages": […]} for each conversation'


def read_turns(path: Path, split: str | None = None, also: Sequence[str] = ()) -> Iterator[Row]:
    """Turns in the order of a file, or of the table of a corpus folder.

    Args:
        path: `.csv`, `.parquet`, `.jsonl`, `.json` or a folder.
        split: Take the turns of this split alone.
        also: Further columns to read where they are, such as `emotion`.

    Raises:
        InputError: A file of another kind, or a row that cannot be read, when it is reached.
    """
    path = table_of(path)
    optional = (*_OPTIONAL, *also)
    readers: dict[str, Callable[[Path], Iterator[Row]]] = {
        ".csv": lambda table: stream_csv(table, _REQUIRED, optional),
        ".parquet": lambda table: stream_parquet(table, _REQUIRED, optional),
        ".jsonl": lambda file: _json_lines(file, optional),
        ".json": lambda file: _chat(file, optional),
    }
    if not path.exists():
        raise InputError(path, "no such file or folder", "check its name")
    if path.suffix not in readers or (path.is_dir() and path.suffix != ".parquet"):
        raise InputError(path, "no conversation", f"give a corpus folder, or a file that ends in {', '.join(readers)}")
    rows = readers[path.suffix](path)
    if split is None:
        yield from rows
        return
    for row in rows:
        if "split" not in row.cells:
            raise row.error("there is no split", "leave --split out")
        if row["split"] == split:
            yield row


def parse_turns(name: Path, content: bytes, *, csv: bool) -> Iterator[Row]:
    """Turns of a file's bytes, in its order.

    Args:
        name: To name in errors, and, without its ending, a conversation that has no name.
        content: A CSV, or the chat JSON of a `.json` file.
        csv: Whether it is a CSV.

    Raises:
        InputError: Bytes of another form, or a row that cannot be read, when it is reached.
    """
    text = decoded(content, name)
    if csv:
        return parse_csv(name, text, _REQUIRED, _OPTIONAL)
    return _conversations(name, parse_json(name, text, _CHAT), _OPTIONAL)


def table_of(path: Path) -> Path:
    """The table that `read_turns` reads: a corpus folder's, or the file itself; a Parquet table may be a folder too."""
    if not path.is_dir() or path.suffix == ".parquet":
        return path
    return next((table for name in ("parquet", "csv") if (table := path / f"utterances.{name}").exists()), path)


def turns_of(
    records: Iterable[Mapping[str, Any]], source: Path = Path("conversation"), first: int = 1
) -> Iterator[Row]:
    """Turns of plain records, such as `{"speaker": "A", "text": "Hi"}`.

    Args:
        records: The turns.
        source: Names them in errors.
        first: Number of the first one.

    Raises:
        InputError: A record without speaker or text, or with a value that is neither text nor number.
    """
    for number, record in enumerate(records, start=first):
        yield _row(source, number, record, _OPTIONAL)


def pieces(rows: Iterable[Row], vad_range: tuple[float, float], size: int = PIECE) -> Iterator[list[Utterance]]:
    """Utterances in the order of their rows, whole dialogues at a time.

    Within a piece a dialogue's rows may stand anywhere; dialogues of a long file must stand together.

    Args:
        rows: Turns.
        vad_range: Unused scores' range, for the checks.
        size: Utterances after which a piece ends with its dialogue.

    Raises:
        InputError: A row that is no utterance, clashes with another, or comes back to a dialogue that is over.
    """
    header = Corpus(name="conversations", classes=(), vad_range=vad_range, dialogues=())
    waiting: list[Row] = []
    over: set[str] = set()
    for row in rows:
        dialogue = _dialogue(row)
        if len(waiting) >= size and dialogue != _dialogue(waiting[-1]):
            over.update(map(_dialogue, waiting))
            yield checked_utterances(_unlabelled(waiting), header)
            waiting = []
        if dialogue in over:
            what = f"dialogue {dialogue!r} comes back after others"
            raise row.error(what, f"in a file of more than {size} utterances put each dialogue's rows together")
        waiting.append(row)
    if waiting:
        yield checked_utterances(_unlabelled(waiting), header)


def dialogues_of(utterances: Iterable[Utterance]) -> tuple[Dialogue, ...]:
    """Dialogues in the order of their first utterances, each sorted by turn."""
    turns: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        turns[utterance.dialogue_id].append(utterance)
    return tuple(
        Dialogue(dialogue_id=name, utterances=tuple(sorted(members, key=lambda utterance: utterance.turn)))
        for name, members in turns.items()
    )


def _dialogue(row: Row) -> str:
    return row.cells.get("dialogue_id", row.path.stem.strip() or "conversation")


def filled(rows: Iterable[Row]) -> list[Row]:
    """Rows with every cell of an utterance: empty ones, and names and numbers, where they have none."""
    unknown = dict.fromkeys((*DIMENSIONS, *MEDIA_COLUMNS, "emotion", "split"), "")
    counts: dict[str, int] = defaultdict(int)
    complete = []
    for row in rows:
        dialogue = _dialogue(row)
        counts[dialogue] += 1
        turn = row.cells.get("turn", str(counts[dialogue]))
        names = {"dialogue_id": dialogue, "turn": turn, "utterance_id": f"{dialogue}_{turn}"}
        complete.append(Row(row.path, row.number, {**unknown, **names, **row.cells}))
    return complete


def _unlabelled(rows: list[Row]) -> list[Row]:
    """Rows of a conversation to predict, of whatever split."""
    return [row.with_cells(split=SPLITS[-1]) for row in filled(rows)]


def _json_lines(path: Path, optional: Sequence[str]) -> Iterator[Row]:
    """A turn, or a whole conversation, in each line."""
    for number, value in read_json_lines(path, _CHAT):
        yield from _turns(path, number, value, str(number), optional, same_row=True)


def _chat(path: Path, optional: Sequence[str]) -> Iterator[Row]:
    yield from _conversations(path, read_json(path, _CHAT), optional)


def _conversations(path: Path, content: Any, optional: Sequence[str]) -> Iterator[Row]:
    """A list of turns, a conversation, or a list of conversations."""
    if isinstance(content, dict):
        content = content.get("conversations", [content])
    if not isinstance(content, list) or not content:
        raise InputError(path, "no list of turns and no conversation", _CHAT)
    number = 1
    for place, item in enumerate(content, start=1):
        for row in _turns(path, number, item, str(place), optional, same_row=False):
            yield row
            number += 1


def _turns(path: Path, number: int, item: Any, name: str, optional: Sequence[str], *, same_row: bool) -> Iterator[Row]:
    """The turn, or turns of a conversation, that a JSON object is.

    Args:
        path: Its file.
        number: Row of its first turn.
        item: The object.
        name: Name of a conversation that has none.
        optional: Columns that a turn may have.
        same_row: True if all its turns are of one row.
    """
    if not isinstance(item, dict):
        raise InputError(path, f"{json.dumps(item)[:60]} is no turn and no conversation", _CHAT, row=number)
    key = next((key for key in _TURNS if key in item), None)
    if key is None:
        yield _row(path, number, item, optional)
        return
    turns = item[key]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise InputError(path, f"{key} is no list of turns", _CHAT, row=number)
    shared = {column: item[column] for column in _SHARED if column in item}
    shared["dialogue_id"] = item.get("dialogue_id", item.get("id", f"{path.stem}_{name}"))
    for place, turn in enumerate(turns):
        spans = _SPANS if key == "segments" and "video_path" in {**shared, **turn} else {}
        named = {spans.get(column, column): value for column, value in turn.items()}
        if key == "segments":  # segments are numbered anew in each file of a transcript
            named.pop("id", None)
        yield _row(path, number if same_row else number + place, shared | named, optional)


def _row(path: Path, number: int, record: Mapping[str, Any], optional: Sequence[str]) -> Row:
    cells: dict[str, str] = {}
    for key, value in record.items():
        column = key if key in (*_REQUIRED, *optional) else _SAME.get(key)
        if column is None or (column != key and column in record) or value is None:
            continue
        if key == "role" and "name" in record:  # of several users, the name says which
            continue
        cells[column] = cell_of(path, number, key, value)
    for column in _REQUIRED:
        if column not in cells:
            raise InputError(path, f"a turn has no {column}", _CHAT, row=number)
    return Row(path, number, cells)


def cell_of(path: Path, number: int, key: str, value: Any) -> str:
    """A JSON value as text; of a message in parts, its texts.

    Raises:
        InputError: It is neither text nor number.
    """
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        return " ".join(part["text"] for part in value if isinstance(part.get("text"), str))
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise InputError(path, f"{key} holds half of a surrogate pair", "save the file as UTF-8", row=number)
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if float(value).is_integer() and key in ("turn", "index") else str(value)
    raise InputError(path, f"{key} is neither text nor number", _CHAT, row=number)
