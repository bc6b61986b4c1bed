"""The table of faults in docs/reliability.md: each row is what a test has seen.

`FMERL_REGENERATE_GOLDEN=1 python -m pytest -m slow tests/platform/running/test_faults.py` writes the rows anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from helpers.repository import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"


def check_row(fault: str, code: str, seen: str, lost: int, twice: int) -> None:
    """Compare a fault's row with the page's.

    Args:
        fault: What happened, the row's name.
        code: Exit status of the command.
        seen: Last line that the user sees, with `STORAGE` for the folder's path.
        lost: Number of finished cells, or paid answers, that were lost.
        twice: Number of them that were trained, or paid, once more.
    """
    row = f"| {fault} | {code} | {seen} | {lost} | {twice} |"
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    place = next((index for index, line in enumerate(lines) if line.startswith(f"| {fault} |")), None)
    if os.environ.get("FMERL_REGENERATE_GOLDEN"):
        last = max(index for index, line in enumerate(lines) if line.startswith("|"))
        lines[last + 1 if place is None else place : last + 1 if place is None else place + 1] = [row]
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        assert place is not None, f"{PAGE} has no row of {fault!r}"
        assert lines[place] == row


def last_line(log: Path, storage: Path) -> str:
    """Last line of a command's output for the page, without this run's paths and numbers."""
    line = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-1]
    line = line.partition(".py: ")[2] or line
    return re.sub(r"\d+(\.\d+)? (?=s\b)", "N ", line.replace(str(storage), "STORAGE"))
