"""`fmerl import-features`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fmerl_platform.cli.console import EXIT_OK, results, say
from fmerl_platform.cli.options import FLAT, OutputFolder


@dataclass(frozen=True, kw_only=True)
class ImportFeaturesOptions:
    """Options of the import of a feature pickle."""

    output: OutputFolder
    """Folder that gets corpus/ and features/."""
    text: Literal["roberta1", "roberta2", "roberta3", "roberta4", "mean"] = "roberta1"
    """Last, second, third or fourth layer from the end, or their mean; SDT takes roberta1."""
    iemocap: Path | None = None
    """IEMOCAP_full_release, for its human VAD scores."""
    validation: Path | None = None
    """The pickle's dialogue ids to hold out, one per line."""
    dry_run: bool = False
    """Check everything and count, write nothing."""


def import_features(pickle: Path, /, *, options: Annotated[ImportFeaturesOptions, FLAT]) -> int:
    """Import the feature pickle of IEMOCAP (12 items) or MELD (13 items) that SDT and others publish.

    Writes OUTPUT/corpus and OUTPUT/features, which other commands take as --corpus and --features. The pickle cannot
    run code here. What is dropped, mended or odd is listed in OUTPUT/corpus/problems.csv.
    """
    from fmerl_platform.importing import releases

    request = releases.PickleImport(
        pickle=pickle,
        output=options.output,
        text=options.text,
        iemocap=options.iemocap,
        validation=options.validation,
        dry_run=options.dry_run,
    )
    releases.import_features(request, partial(say, to=results))
    return EXIT_OK
