"""Make a study's report again from its finished runs, or train one of its cells again and compare. Trains nothing else.

The report is made from MLflow alone: neither corpora nor features are needed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fmerl.errors import InputError
from fmerl_platform import cli
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.runs import read_runs
from fmerl_platform.report.numbers import percent
from fmerl_platform.report.table import to_terminal
from fmerl_platform.studies.publish import publish_study
from fmerl_platform.studies.reproduce import TOLERANCE, Reproduction, reproduce
from fmerl_platform.study.record import StudyRecord


def main() -> int:
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--study", default="ablation", help="MLflow experiment (default %(default)s)")
    parser.add_argument("--storage", type=Path, default=Path("runs"), metavar="DIR", help="default ./runs")
    parser.add_argument("--corpus", nargs="+", metavar="NAME", help="report on these corpora alone")
    parser.add_argument("--output", type=Path, metavar="DIR", help="default STORAGE/reports/STUDY")
    parser.add_argument(
        "--reproduce",
        metavar="CELL",
        help="fingerprint, or its beginning, or CORPUS/VARIANT/SEED: train this cell again instead, and compare; "
        f"same code, packages and processor must give the same bits, others test w-F1 to {100 * TOLERANCE} points",
    )
    arguments = parser.parse_args()
    experiment = Experiment.existing(arguments.storage, arguments.study)
    runs = read_runs(experiment)
    record = StudyRecord.read(experiment, runs.study)
    if arguments.reproduce:
        return _compare(reproduce(experiment, record, arguments.reproduce, arguments.storage))
    record = _restricted(record, arguments.corpus)
    published = publish_study(
        experiment, record, runs, arguments.output or arguments.storage / "reports" / arguments.study
    )
    for table in published.tables:
        cli.results.print(to_terminal(table))
    cli.results.print(f"report   {published.paths.html}", soft_wrap=True)
    return cli.EXIT_OK


def _restricted(record: StudyRecord, corpora: list[str] | None) -> StudyRecord:
    known = {corpus.corpus: corpus for corpus in record.corpora}
    for name in corpora or ():
        if name not in known:
            raise InputError(f"--corpus {name}", "not in this study", f"name one of {', '.join(known)}")
    return replace(record, corpora=tuple(known[name] for name in corpora)) if corpora else record


def _compare(found: Reproduction) -> int:
    cell = found.cell
    cli.results.print(f"{cell.corpus} · {cell.variant} · seed {cell.seed} · {cell.fingerprint[:12]}", highlight=False)
    cli.results.print(
        f"test w-F1 {percent(cell.metrics['test_weighted_f1'])} then, {percent(found.weighted_f1)} now; "
        f"{found.changed_predictions} of {len(cell.predictions)} predictions differ, "
        f"scores by at most {found.largest_score_difference:.2g}",
        highlight=False,
    )
    rule = (
        f"not as it was: {', '.join(found.differs)}; allowed are {100 * TOLERANCE} points of w-F1"
        if found.differs
        else "same code, packages and processor: the same bits are asked for"
    )
    cli.results.print(f"{'reproduced' if found.within_tolerance else 'NOT reproduced'} ({rule})", highlight=False)
    return cli.EXIT_OK if found.within_tolerance else cli.EXIT_FAILED


if __name__ == "__main__":
    cli.run(main)
