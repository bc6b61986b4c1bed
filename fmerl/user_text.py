"""Text and JSON that users supply, by one rule of encodings, with one line for every fault."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from fmerl.errors import InputError, path_error

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(path: Path, remedy: str | None = None, errors: Literal["strict", "surrogateescape"] = "strict") -> str:
    """Read a file: in the encoding that its byte order mark names, else UTF-8. The mark is left out.

    Args:
        path: The file.
        remedy: Advice for a file that is not there.
        errors: Handling of bytes that are not UTF-8; `surrogateescape` leaves them to the caller.

    Raises:
        InputError: It cannot be opened, or is of another encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise path_error(error, remedy) or error from None
    return decoded(content, path, errors)


def decoded(content: bytes, path: Path, errors: Literal["strict", "surrogateescape"] = "strict") -> str:
    """Bytes as text, as `read_text` reads a file.

    Args:
        content: The bytes.
        path: Where they are from, for errors.
        errors: As for `read_text`.

    Raises:
        InputError: They are of another encoding.
    """
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding, errors=errors if encoding.startswith("utf-8") else "strict")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        name = encoding.removesuffix("-sig").upper()
        raise InputError(path, f"byte {error.start} is not {name}", "save the file as UTF-8", row=line) from None


@contextmanager
def text_file(path: Path) -> Iterator[IO[str]]:
    """Open a file to be read piece by piece, encoded as for `read_text`.

    Raises:
        InputError: It cannot be opened, or, when the place is reached, is of another encoding.
    """
    try:
        with path.open("rb") as file:
            start = file.read(max(map(len, _MARKS)))
        encoding = next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")
        with path.open(encoding=encoding, newline="") as text:
            yield text
    except OSError as error:
        raise path_error(error) or error from None
    except UnicodeDecodeError:
        name = encoding.removesuffix("-sig").upper()
        raise InputError(path, f"it is not all {name}", "save the file as UTF-8") from None


def read_json(path: Path, remedy: str, *, nan: bool = False) -> Any:
    """Read a JSON file, encoded as for `read_text`.

    Args:
        path: The file.
        remedy: Advice for a file that is not there or is no JSON: its form.
        nan: Take NaN and infinity, as Python and data frames write them.

    Raises:
        InputError: No such file, or no JSON; NaN, infinity, a key given twice and half a surrogate pair are none.
    """
    return parse_json(path, read_text(path, remedy), remedy, nan=nan)


def parse_json(path: Path, text: str, remedy: str, *, nan: bool = False) -> Any:
    """The value of a JSON text, as `read_json` reads it.

    Args:
        path: To name in errors.
        text: The JSON.
        remedy: Advice for a text that is no JSON: its form.
        nan: As for `read_json`.

    Raises:
        InputError: No JSON.
    """
    try:
        value = json.loads(text, object_pairs_hook=_distinct, parse_constant=float if nan else _refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise InputError(path, "no JSON (nested too deeply)", remedy) from None
    except UnicodeEncodeError:
        raise InputError(path, "no JSON (half of a surrogate pair)", remedy) from None
    except ValueError as error:
        raise InputError(path, f"no JSON ({error})", remedy) from None
    return value


def read_json_lines(path: Path, remedy: str) -> Iterator[tuple[int, Any]]:
    """Row number and value of every line that is not blank, read piece by piece.

    Args:
        path: The file, encoded as for `read_text`.
        remedy: The form of a line.

    Raises:
        InputError: As `text_file`; or a line that is no JSON, when it is reached.
    """
    with text_file(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(path, f"no JSON ({error})", remedy, row=number) from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is there twice")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")
