"""`fmerl import-corpus`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fmerl.errors import InputError
from fmerl_platform.cli.console import EXIT_OK, results, say
from fmerl_platform.cli.options import FLAT, OutputFolder

if TYPE_CHECKING:
    from fmerl.corpus import Corpus, Problem


@dataclass(frozen=True, kw_only=True)
class ImportCorpusOptions:
    """Options of the import of a raw release."""

    output: OutputFolder
    """The corpus folder."""
    meld: Path | None = None
    """Folder of MELD's three CSVs."""
    iemocap: Path | None = None
    """IEMOCAP_full_release."""
    media: tuple[Path, ...] | None = None
    """MELD: take the clips, below a folder or, without one, beside the CSVs."""
    protocol: Literal["raw-7380", "standard-7433"] | None = None
    """IEMOCAP: which targets there are; raw-7380 unless given."""
    ids: Path | None = None
    """standard-7433: ids to call happy, or the feature pickle."""
    validation: Path | None = None
    """IEMOCAP: dialogues to hold out, one per line."""
    drop_unlabelled: bool = False
    """IEMOCAP: no context without a target."""
    dry_run: bool = False
    """Read everything and count, write nothing."""


def import_corpus(*, options: Annotated[ImportCorpusOptions, FLAT]) -> int:
    """Import the raw release of MELD or IEMOCAP into a corpus folder; nothing is decoded.

    What is dropped, mended or odd is listed in OUTPUT/problems.csv. Media paths are absolute.
    """
    from fmerl_platform.importing import releases

    corpus, problems = _read(options)
    releases.import_corpus(corpus, problems, options.output, options.dry_run, partial(say, to=results))
    return EXIT_OK


def _read(options: ImportCorpusOptions) -> tuple[Corpus, list[Problem]]:
    from fmerl_platform.importing.releases import read_iemocap_release, read_meld_release

    if (options.meld is None) == (options.iemocap is None):
        raise InputError(
            "--meld, --iemocap", "one of the two is required, and not both", "give the folder of one release"
        )
    others = ("protocol", "ids", "validation", "drop_unlabelled") if options.meld else ("media",)
    given = [f"--{name.replace('_', '-')}" for name in others if getattr(options, name) not in (None, False)]
    if given:
        raise InputError(", ".join(given), "not an option of this release", "leave it out")
    if options.meld:
        if options.media is not None and len(options.media) > 1:
            raise InputError("--media", f"{len(options.media)} folders", "give one, or none for clips beside the CSVs")
        folders = () if options.media is None else (options.media or (options.meld,))
        return read_meld_release(options.meld, *folders)
    assert options.iemocap is not None
    return read_iemocap_release(
        options.iemocap,
        options.protocol or "raw-7380",
        options.ids,
        options.validation,
        keep_context=not options.drop_unlabelled,
    )
