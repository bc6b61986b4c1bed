"""Import the raw release of MELD or IEMOCAP into a corpus folder; nothing is decoded.

What is dropped, mended or odd is listed in OUTPUT/problems.csv. Media paths are absolute.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from fmerl.corpus import Corpus, Problem
from fmerl.corpus.readers.iemocap.reader import Protocol
from fmerl.errors import InputError
from fmerl_platform import cli
from fmerl_platform.importing.releases import import_corpus, read_iemocap_release, read_meld_release


def main() -> int:
    parser = cli.Parser(description=__doc__)
    release = parser.add_mutually_exclusive_group(required=True)
    release.add_argument("--meld", type=Path, metavar="DIR", help="folder of MELD's three CSVs")
    release.add_argument("--iemocap", type=Path, metavar="DIR", help="IEMOCAP_full_release")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the corpus folder")
    parser.add_argument(
        "--media", nargs="?", const="", metavar="DIR", help="MELD: take the clips, below DIR or beside the CSVs"
    )
    parser.add_argument(
        "--protocol", choices=get_args(Protocol), help="IEMOCAP: which targets there are (default raw-7380)"
    )
    parser.add_argument("--ids", type=Path, metavar="FILE", help="standard-7433: ids to call happy, or feature pickle")
    parser.add_argument("--validation", type=Path, metavar="FILE", help="IEMOCAP: dialogues to hold out, one per line")
    parser.add_argument("--drop-unlabelled", action="store_true", help="IEMOCAP: no context without a target")
    parser.add_argument("--dry-run", action="store_true", help="read everything and count, write nothing")
    arguments = parser.parse_args()
    corpus, problems = _read(arguments)
    import_corpus(corpus, problems, arguments.output, arguments.dry_run, cli.results)
    return cli.EXIT_OK


def _read(arguments: argparse.Namespace) -> tuple[Corpus, list[Problem]]:
    others = ("protocol", "ids", "validation", "drop_unlabelled") if arguments.meld else ("media",)
    given = [f"--{name.replace('_', '-')}" for name in others if getattr(arguments, name) not in (None, False)]
    if given:
        raise InputError(", ".join(given), "not an option of this release", "leave it out")
    if arguments.meld:
        media = None if arguments.media is None else Path(arguments.media or arguments.meld)
        return read_meld_release(arguments.meld, media)
    return read_iemocap_release(
        arguments.iemocap,
        arguments.protocol or "raw-7380",
        arguments.ids,
        arguments.validation,
        keep_context=not arguments.drop_unlabelled,
    )


if __name__ == "__main__":
    cli.run(main)
