"""Compare FMERL with other systems (the paper's Table 1) on the same features, batches, epochs and selection.

Without arguments: every system that runs, both synthetic corpora, five seeds, preset `laptop`. `--meld` and `--emobank`
compare them on MELD's text instead, prepared as `meld_text_ablation.py` does. Rerunning the same command resumes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fmerl.corpus import SHAPES
from fmerl.errors import InputError
from fmerl.presets import OFFLINE_ENCODER
from fmerl_platform import cli
from fmerl_platform.ablation import AblationRequest, run_ablation
from fmerl_platform.arguments import ALL, ablation_request, add_run_arguments
from fmerl_platform.preparation import prepare_meld_text
from fmerl_platform.systems import SYSTEM_VARIANTS
from fmerl_platform.variants import CONTROL

MELD_TEXT_EPOCHS = 20
"""As in the ablation on MELD's text."""


def main() -> int:
    parser = cli.Parser(description=__doc__)
    others = [name for name in SYSTEM_VARIANTS if name != CONTROL]
    parser.add_argument(
        "--systems",
        nargs="+",
        choices=[*others, ALL],
        default=[ALL],
        metavar="NAME",
        help=f"{ALL} (default), or of: {', '.join(others)}; {CONTROL} always runs",
    )
    parser.add_argument(
        "--corpus", nargs="+", default=list(SHAPES), metavar="NAME|DIR", help=f"corpus folders, or {', '.join(SHAPES)}"
    )
    parser.add_argument("--features", type=Path, metavar="DIR", help="feature tables of the corpus folders")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="label sets, in place of the corpora's own scores")
    parser.add_argument("--meld", type=Path, metavar="DIR", help="folder of MELD's three CSVs, in place of --corpus")
    parser.add_argument("--emobank", type=Path, metavar="FILE", help="EmoBank's emobank.csv, needed with --meld")
    add_run_arguments(parser, study="main-results")
    request = _request(parser.parse_args())
    return cli.EXIT_OK if run_ablation(request, cli.console, cli.results).complete else cli.EXIT_FAILED


def _request(arguments: argparse.Namespace) -> AblationRequest:
    wanted = [variant for name, variant in SYSTEM_VARIANTS.items() if {name, ALL} & {CONTROL, *arguments.systems}]
    if (arguments.meld is None) != (arguments.emobank is None):
        raise InputError("--meld, --emobank", "only one of them is given", "give both")
    if arguments.meld is None:
        return ablation_request(arguments, arguments.corpus, arguments.features, arguments.labels, wanted)
    prepared = prepare_meld_text(
        arguments.meld, arguments.emobank, OFFLINE_ENCODER, "mean", arguments.storage, cli.console
    )
    arguments.epochs = arguments.epochs or MELD_TEXT_EPOCHS
    return ablation_request(arguments, [str(prepared.corpus)], prepared.features, prepared.labels, wanted)


if __name__ == "__main__":
    cli.run(main)
