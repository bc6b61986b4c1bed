"""Recognise emotions that were never learned (the paper's Table 2): classes held out, FMERL on the whole test set.

Without arguments: the class that each synthetic corpus calls unseen, five seeds, preset `laptop`. `--meld` and
`--emobank` hold out fear of MELD's text instead. Rerunning the same command resumes; other classes are another --study.
"""

from __future__ import annotations

from fmerl_platform import cli
from fmerl_platform.studies.run import run_ablation
from fmerl_platform.studies.zero_shot.arguments import add_zero_shot_arguments, zero_shot_request


def main() -> int:
    parser = cli.Parser(description=__doc__)
    add_zero_shot_arguments(parser)
    request = zero_shot_request(parser.parse_args(), cli.console)
    return cli.EXIT_OK if run_ablation(request, cli.console, cli.results).complete else cli.EXIT_FAILED


if __name__ == "__main__":
    cli.run(main)
