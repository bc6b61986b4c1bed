"""Run the paper's ablation on MELD's text: real conversations, a frozen text encoder, VAD learned from EmoBank.

Converts the raw CSVs, encodes the utterances, scores valence, arousal and dominance by a ridge regression trained on
EmoBank, runs the grid, and says how far FMERL lies above logistic regression on the same frozen features. Rerunning
the same command resumes.
"""

from __future__ import annotations

from pathlib import Path

from fmerl.config.presets import OFFLINE_ENCODER
from fmerl_platform import cli
from fmerl_platform.cli.arguments import ablation_request, add_grid_arguments
from fmerl_platform.importing.meld_text import prepare_meld_text
from fmerl_platform.studies.ablation.logistic_reference import REFERENCE, against_reference
from fmerl_platform.studies.run import run_ablation


def main() -> int:
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--meld", type=Path, required=True, metavar="DIR", help="folder of MELD's three CSVs")
    parser.add_argument("--emobank", type=Path, required=True, metavar="FILE", help="EmoBank's emobank.csv")
    parser.add_argument("--text-encoder", default=OFFLINE_ENCODER, metavar="ID|DIR|package:MODULE")
    parser.add_argument("--pooling", choices=("mean", "cls"), default="mean")
    add_grid_arguments(parser, study="meld-text")
    parser.set_defaults(epochs=20)
    arguments = parser.parse_args()
    prepared = prepare_meld_text(
        arguments.meld, arguments.emobank, arguments.text_encoder, arguments.pooling, arguments.storage, cli.console
    )
    request = ablation_request(arguments, [str(prepared.corpus)], prepared.features, prepared.labels)
    outcome = run_ablation(request, cli.console, cli.results)
    for inputs, analysis in zip(outcome.inputs, outcome.analyses, strict=False):
        score, lead = against_reference(analysis.results, inputs.data)
        cli.results.print(
            f"{analysis.results.control} lies {100 * lead.delta:+.2f} points "
            f"[{100 * lead.ci_low:+.2f}, {100 * lead.ci_high:+.2f}] from "
            f"{REFERENCE} on the same frozen features ({100 * score:.2f}), p = {lead.p_value:.2g}",
            highlight=False,
            soft_wrap=True,
        )
    return cli.EXIT_OK if outcome.complete else cli.EXIT_FAILED


if __name__ == "__main__":
    cli.run(main)
