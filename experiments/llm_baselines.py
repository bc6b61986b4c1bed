"""Ask language models for the emotion of each test utterance over an OpenAI-compatible endpoint (the paper's Table 2).

Few-shot for seen classes, zero-shot for unseen ones. The endpoint is the one of OPENAI_BASE_URL and OPENAI_API_KEY, or
a model's own in the file of models. Every answer is journaled: rerunning the same command asks only what is left.
`zero_shot.py --llm-study` shows the rows beside FMERL's.
"""

from __future__ import annotations

from pathlib import Path

from fmerl_platform import cli
from fmerl_platform.llm_baselines.arguments import add_baseline_arguments, baseline_request
from fmerl_platform.llm_baselines.run import run_baselines
from fmerl_platform.llm_baselines.summary import estimates, summary_table
from fmerl_platform.report.table import to_terminal


def main() -> int:
    parser = cli.Parser(description=__doc__)
    add_baseline_arguments(parser, models=Path(__file__).with_name("llm_models.json"))
    arguments = parser.parse_args()
    request = baseline_request(arguments)
    if arguments.dry_run:
        for model, estimate in estimates(request).items():
            for line in estimate.lines():
                cli.results.print(f"{model}: {line}", highlight=False, soft_wrap=True, markup=False)
        return cli.EXIT_OK
    done = run_baselines(request, cli.console)
    cli.results.print(to_terminal(summary_table(done, request)))
    for name, reason in done.failures.items():
        cli.results.print(f"not finished: {name}: {reason}", style="red", soft_wrap=True, markup=False)
    cli.results.print(f"compare  mlflow ui --backend-store-uri {done.tracking_uri}", soft_wrap=True)
    return cli.EXIT_FAILED if done.failures else cli.EXIT_OK


if __name__ == "__main__":
    cli.run(main)
