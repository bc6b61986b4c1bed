"""Lines of IEMOCAP's text files, and stray files beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fmerl.corpus.dialogue import Problem
from fmerl.corpus.readers.cp1252 import repair_cp1252
from fmerl.errors import InputError
from fmerl.user_text import read_text

SESSIONS = ("Session1", "Session2", "Session3", "Session4", "Session5")


def session_folders(folder: Path, problems: list[Problem]) -> list[Path]:
    """The sessions of a release that have evaluations; absent ones are listed.

    Raises:
        InputError: There is none.
    """
    there = [folder / name for name in SESSIONS if (folder / name / "dialog" / "EmoEvaluation").is_dir()]
    if not there:
        what = "there is no Session1/dialog/EmoEvaluation, or that of another session"
        raise InputError(folder, what, "give the folder IEMOCAP_full_release")
    for name in SESSIONS:
        if folder / name not in there:
            problems.append(Problem(where=name, row=0, what="no dialog/EmoEvaluation", action="session left out"))
    return there


def text_files(root: Path, folder: Path, problems: list[Problem]) -> list[Path]:
    """The `*.txt` of a folder by name; all other files are listed, macOS's copies (`._*`) by their number."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    where = str(folder.relative_to(root))
    files = []
    shadows = 0
    for entry in entries:
        if entry.name.startswith("._"):
            shadows += 1
        elif entry.is_dir():
            problems.append(Problem(where=where, row=0, what=f"sub-folder {entry.name}", action="skipped"))
        elif entry.suffix == ".txt":
            files.append(entry)
        else:
            problems.append(Problem(where=where, row=0, what=f"{entry.name} is no text file", action="skipped"))
    if shadows:
        problems.append(Problem(where=where, row=0, what=f"{shadows} files ._*, made by macOS", action="skipped"))
    return files


def numbered_lines(root: Path, path: Path, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """Lines that are not blank with their numbers from 1, cp1252 bytes mended and listed."""
    where = str(path.relative_to(root))
    content = read_text(path, errors="surrogateescape")
    for row, raw in enumerate(content.split("\n"), start=1):
        try:
            line = repair_cp1252(raw)
        except UnicodeDecodeError as error:
            what = f"byte {error.object[0]:02X} is neither UTF-8 nor cp1252"
            raise InputError(path, what, "mend the line", row=row) from None
        if line != raw:
            problems.append(Problem(where=where, row=row, what="cp1252 bytes", action=f"read as {line.strip()!r}"))
        if line.strip():
            yield row, line.strip()
