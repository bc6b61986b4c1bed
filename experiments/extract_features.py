"""Extract feature tables from a corpus folder: text, sound and faces of every utterance, each by a frozen encoder.

Encoders run in Ray Data workers. What is encoded is kept block by block: rerunning the same command, whatever ended the
last one, encodes only what is left; a table that is there already costs nothing.
"""

from __future__ import annotations

from fmerl.corpus import read_corpus
from fmerl_platform import cli
from fmerl_platform.extraction.arguments import add_extraction_arguments, extraction_request
from fmerl_platform.extraction.pipeline import ExtractionError
from fmerl_platform.extraction.run import extract
from fmerl_platform.extraction.summary import plan_table_of, summary_table


def main() -> int:
    parser = cli.Parser(description=__doc__)
    add_extraction_arguments(parser)
    arguments = parser.parse_args()
    request = extraction_request(arguments)
    if arguments.dry_run:
        cli.results.print(plan_table_of(request.plans(read_corpus(request.corpus))))
        return cli.EXIT_OK
    try:
        done = extract(request, cli.console)
    except ExtractionError as error:
        cli.console.print(
            f"extraction ended early: {error}", style="red", highlight=False, soft_wrap=True, markup=False
        )
        return cli.EXIT_FAILED
    cli.results.print(summary_table(done))
    cli.results.print(f"features  {request.features}", highlight=False, soft_wrap=True)
    return cli.EXIT_OK


if __name__ == "__main__":
    cli.run(main)
