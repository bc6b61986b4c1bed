"""Make a small corpus of raw media, whose texts, speech and faces follow valence, arousal and dominance.

For tests and demonstrations of extraction: nothing in it was recorded, and numbers on it say nothing about emotion.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from fmerl.synthetic.media import Layout, MediaSpec, write_media_corpus
from fmerl_platform import cli


def main() -> int:
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the corpus folder")
    parser.add_argument("--dialogues", type=int, default=24, metavar="N", help="of about six turns (default 24)")
    parser.add_argument(
        "--layout",
        choices=get_args(Layout),
        default="clips",
        help="clips: a video per utterance; dialogues: a video per dialogue with both speakers side by side, and a wav "
        "per utterance (default clips)",
    )
    parser.add_argument(
        "--faults",
        action="store_true",
        help="plant a missing file, a corrupt one, one without sound and one without a face",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    try:
        spec = MediaSpec(
            dialogues=arguments.dialogues, layout=arguments.layout, faults=arguments.faults, seed=arguments.seed
        )
    except ValueError as error:
        parser.error(str(error))
    corpus = write_media_corpus(spec, arguments.output)
    utterances = sum(1 for _ in corpus.utterances())
    cli.results.print(
        f"{corpus.name}: {utterances} utterances in {len(corpus.dialogues)} dialogues, {arguments.output}",
        highlight=False,
        soft_wrap=True,
    )
    return cli.EXIT_OK


if __name__ == "__main__":
    cli.run(main)
