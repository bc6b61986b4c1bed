"""Compare FMERL with other systems (the paper's Table 1) on the same features, batches, epochs and selection.

Without arguments: every system that runs, both synthetic corpora, five seeds, preset `laptop`. `--meld` and `--emobank`
compare them on MELD's text instead, prepared as `meld_text_ablation.py` does. Rerunning the same command resumes.
"""

from __future__ import annotations

from fmerl_platform import cli
from fmerl_platform.cli.arguments import ALL, add_corpus_arguments, add_run_arguments, request_of_corpora
from fmerl_platform.studies.run import run_ablation
from fmerl_platform.study.paper import CONTROL, SYSTEMS


def main() -> int:
    parser = cli.Parser(description=__doc__)
    others = [name for name in SYSTEMS if name != CONTROL]
    parser.add_argument(
        "--systems",
        nargs="+",
        choices=[*others, ALL],
        default=[ALL],
        metavar="NAME",
        help=f"{ALL} (default), or of: {', '.join(others)}; {CONTROL} always runs",
    )
    add_corpus_arguments(parser)
    add_run_arguments(parser, study="main-results")
    arguments = parser.parse_args()
    wanted = [variant for name, variant in SYSTEMS.items() if {name, ALL} & {CONTROL, *arguments.systems}]
    request = request_of_corpora(arguments, wanted, cli.console)
    return cli.EXIT_OK if run_ablation(request, cli.console, cli.results).complete else cli.EXIT_FAILED


if __name__ == "__main__":
    cli.run(main)
