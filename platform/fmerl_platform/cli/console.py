"""Printing and exit codes of commands."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from fmerl_platform.report.table import Table, to_terminal

EXIT_OK, EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED, EXIT_TERMINATED = 0, 1, 2, 130, 143

console = Console(stderr=True)
"""Console for progress and messages."""
results = Console()
"""Console for results."""


def say(line: str, style: str = "", to: Console = console) -> None:
    """Print a line as it is: names may look like markup."""
    to.print(Text(line, style=style), soft_wrap=True)


def show(tables: Iterable[Table]) -> None:
    """Print results as tables."""
    for table in tables:
        results.print(to_terminal(table))


def show_report(tables: Iterable[Table], warnings: Iterable[str], page: Path) -> None:
    """Print a report's results, its warnings, and where its page lies."""
    show(tables)
    for warning in warnings:
        say(warning, "bold yellow", results)
    say(f"report   {page}", to=results)


class _Lines(logging.Handler):
    """Shows the engine's messages above a live progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), "bold yellow" if record.levelno >= logging.WARNING else "")


def listen() -> None:
    """Show what the engine and the method say while they work."""
    for name in ("fmerl", "fmerl_platform"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.handlers = [_Lines()]
