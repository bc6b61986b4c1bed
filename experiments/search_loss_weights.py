"""Search the loss weights on Ray Tune with Optuna, and compare the best with the paper's on fresh seeds.

The objective is validation weighted F1; no trial is given test data. Rerunning the same command resumes, whatever ended
the last one; a larger --trials goes on from there. The best configuration is STORAGE/search/STUDY/best.json, which
`ablation_grid.py --config` takes.
"""

from __future__ import annotations

from pathlib import Path

from fmerl.config import MODALITIES
from fmerl.config.presets import PRESETS
from fmerl_platform import cli
from fmerl_platform.running.placement import Resources
from fmerl_platform.studies.search.run import SearchRequest, run_search
from fmerl_platform.studies.search.space import OPTIONAL
from fmerl_platform.study.inputs import InputOptions


def main() -> int:
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--corpus", default="synthetic-iemocap", metavar="NAME|DIR", help="default: synthetic-iemocap")
    parser.add_argument("--features", type=Path, metavar="DIR", help="feature tables of a corpus folder")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="label sets, in place of the corpus's own scores")
    parser.add_argument("--preset", choices=PRESETS, default="laptop")
    parser.add_argument("--config", type=Path, metavar="FILE", help="JSON of fields: where to start, in the preset")
    parser.add_argument("--trials", type=int, default=40, metavar="N", help="in all, earlier ones counted (default 40)")
    parser.add_argument(
        "--search-seeds", nargs="+", type=int, default=[0], metavar="N", help="of every trial (default 0)"
    )
    parser.add_argument(
        "--evaluation-seeds", nargs="+", type=int, default=[100, 101, 102, 103, 104], metavar="N", help="fresh ones"
    )
    parser.add_argument("--also", nargs="+", choices=OPTIONAL, default=[], help="fields to search besides the weights")
    parser.add_argument("--epochs", type=int, metavar="N", help="in place of the preset's")
    parser.add_argument("--modalities", nargs="+", choices=MODALITIES, help="default: all that have features")
    parser.add_argument("--emotion-encoder", metavar="ID|DIR|package:MODULE", help="in place of the preset's")
    parser.add_argument("--scale", type=float, default=1.0, help="of a synthetic corpus (default 1: true size)")
    parser.add_argument("--study", default="search", help="MLflow experiment (default search)")
    parser.add_argument("--storage", type=Path, default=Path("runs"), metavar="DIR", help="default ./runs")
    parser.add_argument("--cpus-per-trial", type=float, default=1.0, metavar="N")
    parser.add_argument("--gpus-per-trial", type=float, default=0.0, metavar="N", help="fractions share a GPU")
    parser.add_argument(
        "--trials-at-once",
        type=int,
        metavar="N",
        help="default: as many as the nodes at hand hold; more lets them grow",
    )
    parser.add_argument("--dry-run", action="store_true", help="check all inputs and show the ranges, train nothing")
    arguments = parser.parse_args()
    request = SearchRequest(
        corpus=arguments.corpus,
        trials=arguments.trials,
        seeds=tuple(arguments.search_seeds),
        evaluation_seeds=tuple(arguments.evaluation_seeds),
        study=arguments.study,
        storage=arguments.storage,
        also=tuple(arguments.also),
        inputs=InputOptions(
            preset=arguments.preset,
            features=arguments.features,
            labels=arguments.labels,
            storage=arguments.storage,
            scale=arguments.scale,
            modalities=tuple(arguments.modalities) if arguments.modalities else None,
            epochs=arguments.epochs,
            emotion_encoder=arguments.emotion_encoder,
            config=arguments.config,
        ),
        resources=Resources(
            cpus=arguments.cpus_per_trial, gpus=arguments.gpus_per_trial, cells_at_once=arguments.trials_at_once
        ),
        dry_run=arguments.dry_run,
    )
    return cli.EXIT_OK if run_search(request, cli.console, cli.results) else cli.EXIT_FAILED


if __name__ == "__main__":
    cli.run(main)
