"""`fmerl inspect-corpus`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fmerl_platform.cli.console import EXIT_OK, results, say, show_report
from fmerl_platform.cli.options import FLAT, OutputFolder


@dataclass(frozen=True, kw_only=True)
class InspectCorpusOptions:
    """Options of a corpus's inspection."""

    corpus: Path
    """Corpus folder."""
    output: OutputFolder = Path("inspection")
    """Folder of the page."""


def inspect_corpus(*, options: Annotated[InspectCorpusOptions, FLAT]) -> int:
    """Show a corpus as it is, before scores on it are read.

    Class counts, texts that test shares with train and how many carry another emotion, emotion inertia, one-turn
    dialogues, reversed and overlapping spans, longest texts.
    """
    from fmerl_platform.importing.inspection import corpus_report

    report = corpus_report(options.corpus)
    paths = report.save(options.output)
    for section in report.sections:
        say(section.finding, to=results)
    show_report(report.tables, report.warnings, paths.html)
    return EXIT_OK
