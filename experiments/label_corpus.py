"""Label a corpus through an OpenAI-compatible endpoint: VAD scores and emotion descriptions (Eq. 1 and 4).

The endpoint is the one of OPENAI_BASE_URL and OPENAI_API_KEY. Every answer is journaled before it is used: rerunning
the same command, whatever ended the last one, repeats only requests that were in flight.
"""

from __future__ import annotations

from fmerl_platform import cli
from fmerl_platform.asking.endpoint import RequestFailedError
from fmerl_platform.labelling.arguments import add_label_arguments, label_request
from fmerl_platform.labelling.dry_run import estimate
from fmerl_platform.labelling.run import label_corpus
from fmerl_platform.labelling.summary import print_summary


def main() -> int:
    parser = cli.Parser(description=__doc__)
    add_label_arguments(parser)
    arguments = parser.parse_args()
    request = label_request(arguments)
    if (objection := request.grid_objection()) is not None:
        cli.console.print(f"for judging only, a grid refuses it: {objection}", highlight=False, soft_wrap=True)
    if arguments.dry_run:
        for line in estimate(request).lines():
            cli.results.print(line, highlight=False, soft_wrap=True)
        return cli.EXIT_OK
    try:
        done = label_corpus(request, cli.console)
    except RequestFailedError as failure:
        cli.console.print(
            f"the endpoint cannot be asked: {failure}", style="red", highlight=False, soft_wrap=True, markup=False
        )
        return cli.EXIT_FAILED
    print_summary(done, request, cli.results)
    return cli.EXIT_OK if done.complete(request.max_error_share) else cli.EXIT_FAILED


if __name__ == "__main__":
    cli.run(main)
