"""Run the paper's ablation (Table 3), or your own, on Ray Tune, logged to MLflow: variants x corpora x seeds.

Without arguments: the seven variants, both synthetic corpora, five seeds, preset `laptop`. Rerunning the same command
resumes.
"""

from __future__ import annotations

from pathlib import Path

from fmerl.synthetic import SHAPES
from fmerl_platform import cli
from fmerl_platform.cli.arguments import ablation_request, add_grid_arguments
from fmerl_platform.studies.run import run_ablation


def main() -> int:
    parser = cli.Parser(description=__doc__)
    parser.add_argument(
        "--corpus", nargs="+", default=list(SHAPES), metavar="NAME|DIR", help=f"corpus folders, or {', '.join(SHAPES)}"
    )
    parser.add_argument("--features", type=Path, metavar="DIR", help="feature tables of the corpus folders")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="label sets, in place of the corpora's own scores")
    add_grid_arguments(parser, study="ablation")
    arguments = parser.parse_args()
    request = ablation_request(arguments, arguments.corpus, arguments.features, arguments.labels)
    return cli.EXIT_OK if run_ablation(request, cli.console, cli.results).complete else cli.EXIT_FAILED


if __name__ == "__main__":
    cli.run(main)
