"""ConvoKit's corpus folders (Chang et al. 2020), as `Corpus.dump` writes them and as older releases have them.

ConvoKit itself is not needed, and nothing is unpickled: fields that it keeps in `*-bin.p` cannot be read here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fmerl.corpus.conversations import cell_of, filled
from fmerl.corpus.dialogue import Corpus, Problem
from fmerl.corpus.readers.assembly import corpus_of
from fmerl.corpus.tables import Row
from fmerl.errors import InputError
from fmerl.user_text import read_json, read_json_lines

_FORM = "give a folder that ConvoKit's Corpus.dump wrote, with utterances.jsonl and conversations.json"
_OLDER = {"speaker": "user", "conversation_id": "root"}
"""Names that releases before ConvoKit 2.3 have for a field."""
_PICKLED = "<##bin{"


def read_convokit(folder: Path, *, emotion: str, split: str | None = None) -> tuple[Corpus, list[Problem]]:
    """Read a ConvoKit folder.

    A conversation's utterances are in the order of their timestamps, equal ones in that of the file; where one of them
    has none, all are in the order of the file. Conversations that branch are read in that order too.

    Args:
        folder: With `utterances.jsonl`, or `utterances.json`, and `conversations.json`, which may be absent.
        emotion: Field of the utterances' metadata that holds the emotion. Null, an empty list and no field make
            context; a list of one is that one; of several none is chosen: context as well, and listed.
        split: Field of the metadata of utterances or conversations that holds the split.

    Raises:
        InputError: No such folder, a record that is no utterance, no utterance with such a field; see `corpus_of`.
    """
    problems: list[Problem] = []
    conversations = _conversations(folder / "conversations.json")
    turns: dict[str, list[tuple[float | None, Row]]] = {}
    fields: set[str] = set()
    for path, number, record in _records(folder):
        cells = {key: _required(path, number, key, _field(record, key)) for key in ("id", "conversation_id", "speaker")}
        meta = _meta(record)
        fields.update(meta)
        cells["text"] = _optional(path, number, "text", record.get("text"))
        cells["emotion"] = _emotion(path, number, emotion, meta.get(emotion), problems)
        dialogue = cells["conversation_id"]
        of_conversation = conversations.get(dialogue, {})
        cells["split"] = (
            "" if split is None else _optional(path, number, split, meta.get(split, of_conversation.get(split)))
        )
        row = Row(path, number, {**cells, "utterance_id": cells["id"], "dialogue_id": dialogue})
        turns.setdefault(dialogue, []).append((_time(record.get("timestamp")), row))
    if turns and emotion not in fields:
        what = f"no utterance has the field {emotion} (found: {', '.join(sorted(fields)) or 'none'})"
        raise InputError(folder, what, "name the field that holds the emotion: --emotion")
    rows = [row for dialogue, found in turns.items() for row in _ordered(dialogue, found, problems)]
    return corpus_of(filled(rows), folder.resolve().name, problems, split_field=split), problems


def _records(folder: Path) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    path = folder / "utterances.jsonl"
    if path.exists():
        records = read_json_lines(path, _FORM)
    else:
        path = folder / "utterances.json"
        listed = read_json(path, _FORM, nan=True)
        if not isinstance(listed, list):
            raise InputError(path, "no list of utterances", _FORM)
        records = enumerate(listed, start=1)
    for number, record in records:
        if not isinstance(record, dict):
            raise InputError(path, "no utterance, which is a JSON object", _FORM, row=number)
        yield path, number, record


def _conversations(path: Path) -> dict[str, dict[str, Any]]:
    """Metadata of the conversations by id; none without the file."""
    found = read_json(path, _FORM, nan=True) if path.exists() else {}
    if not isinstance(found, dict):
        raise InputError(path, "no JSON object", _FORM)
    # Before vectors there was no `meta` around it.
    return {name: _meta(fields) or fields for name, fields in found.items() if isinstance(fields, dict)}


def _meta(record: Mapping[str, Any]) -> dict[str, Any]:
    meta = record.get("meta")
    return meta if isinstance(meta, dict) else {}


def _field(record: Mapping[str, Any], key: str) -> Any:
    return record.get(key, record.get(_OLDER.get(key, key)))


def _required(path: Path, number: int, key: str, value: Any) -> str:
    text = _optional(path, number, key, value)
    if not text:
        raise InputError(path, f"an utterance has no {key}", _FORM, row=number)
    return text


def _optional(path: Path, number: int, key: str, value: Any) -> str:
    """A value as text; empty for none, which a corpus that was made of a data frame has as NaN."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else cell_of(path, number, key, value)


def _emotion(path: Path, number: int, field: str, value: Any, problems: list[Problem]) -> str:
    if isinstance(value, list) and len(value) > 1:
        what = f"{len(value)} values of {field}"
        problems.append(Problem(where=path.name, row=number, what=what, action="kept as context"))
        return ""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, str) and value.startswith(_PICKLED):
        what = f"{field} is kept in a pickle, which can run code"
        raise InputError(path, what, "write it as text, and dump the corpus again", row=number)
    return _optional(path, number, field, value)


def _time(value: Any) -> float | None:
    try:
        time = float(value)
    except (TypeError, ValueError):
        return None
    return time if math.isfinite(time) else None


def _ordered(dialogue: str, found: list[tuple[float | None, Row]], problems: list[Problem]) -> list[Row]:
    times = [time for time, _ in found if time is not None]
    if times and len(times) < len(found):
        first = next(row for time, row in found if time is None)
        what = f"{len(found) - len(times)} of {len(found)} utterances of {dialogue} have no timestamp"
        problems.append(
            Problem(where=first.path.name, row=first.number, what=what, action="kept in the order of the file")
        )
    elif times:
        found = sorted(found, key=lambda pair: pair[0] or 0.0)
    return [row for _, row in found]
