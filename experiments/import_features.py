"""Import the feature pickle of IEMOCAP (12 items) or MELD (13 items) that SDT and others publish.

Writes OUTPUT/corpus and OUTPUT/features, which the other scripts take as --corpus and --features. The pickle cannot run
code here. What is dropped, mended or odd is listed in OUTPUT/corpus/problems.csv.
"""

from __future__ import annotations

from pathlib import Path

from fmerl.corpus.readers.feature_pickles.formats import TEXT_VECTORS
from fmerl_platform import cli
from fmerl_platform.importing.releases import PickleImport, import_features


def main() -> int:
    parser = cli.Parser(description=__doc__)
    parser.add_argument("pickle", type=Path, metavar="PICKLE")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--text",
        choices=TEXT_VECTORS,
        default="roberta1",
        help="last, second, third or fourth layer from the end, or their mean (default roberta1, as in SDT)",
    )
    parser.add_argument("--iemocap", type=Path, metavar="DIR", help="IEMOCAP_full_release, for its human VAD scores")
    parser.add_argument(
        "--validation", type=Path, metavar="FILE", help="the pickle's dialogue ids to hold out, one per line"
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything and count, write nothing")
    import_features(PickleImport(**vars(parser.parse_args())), cli.results)
    return cli.EXIT_OK


if __name__ == "__main__":
    cli.run(main)
