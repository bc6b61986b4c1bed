"""How soon commands answer, beside another checkout of the project: CPU seconds, the two in turn.

`--beside DIR` is a checkout whose commands run in this environment, such as one of the last release. Without it only
this checkout's figures are printed. The first cell's start is wall-clock time, since its work lies in Ray's processes.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent.parent
SMALL = ("--scale", ".05", "--epochs", "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path, metavar="DIR", help="another checkout")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of each command (default 3)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="of the finished study (default 5: 70 cells)")
    arguments = parser.parse_args()
    # A shell starts what runs in its background deaf to interrupts, by which the first cell's command is ended here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    trees = [HERE, *([arguments.beside.resolve()] if arguments.beside else [])]
    print(f"{'':<34}{'here':>9}{'beside':>9}{'ratio':>8}")
    for script in sorted(path.name for path in (HERE / "experiments").glob("*.py")):
        _row(f"{script} --help", trees, arguments.runs, partial(_cpu, script=script, arguments=("--help",)))
    _row("a refused argument", trees, arguments.runs, partial(_cpu, arguments=("--preset", "huge")))
    _row("a missing corpus", trees, arguments.runs, partial(_cpu, arguments=("--corpus", "absent")))
    with tempfile.TemporaryDirectory() as folder:
        seeds = ["--seeds", *map(str, range(arguments.seeds))]

        def study(tree: Path) -> float:
            return _cpu(tree, (*SMALL, *seeds, "--storage", str(Path(folder) / str(trees.index(tree)))))

        def start(tree: Path) -> float:
            with tempfile.TemporaryDirectory() as fresh:
                return _first_cell(tree, *SMALL, "--storage", fresh)

        _row("first cell starts (wall)", trees, arguments.runs, start)
        for tree in trees:
            study(tree)
        _row(
            f"a finished study ({14 * arguments.seeds} cells)",
            trees,
            arguments.runs,
            study,
        )


def _row(what: str, trees: Sequence[Path], runs: int, measure: Callable[[Path], float]) -> None:
    """The trees in turn, so that a machine that slows down slows both; medians."""
    seconds: dict[Path, list[float]] = {tree: [] for tree in trees}
    for _ in range(runs):
        for tree in trees:
            seconds[tree].append(measure(tree))
    medians = [median(seconds[tree]) for tree in trees]
    beside = f"{medians[1]:>8.2f}s{medians[1] / medians[0]:>7.1f}x" if len(medians) > 1 else ""
    print(f"{what:<34}{medians[0]:>8.2f}s{beside}", flush=True)


def environment(tree: Path) -> dict[str, str]:
    paths = os.pathsep.join([str(tree), str(tree / "platform")])
    return {**os.environ, "PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0"}


def _cpu(tree: Path, arguments: Sequence[str], script: str = "ablation_grid.py") -> float:
    """User and system seconds of a script and all that it started and waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, str(tree / "experiments" / script), *arguments]
    subprocess.run(command, env=environment(tree), cwd=tree, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _first_cell(tree: Path, *arguments: str) -> float:
    """Seconds from the command to the first seed run in the ledger; then the command is interrupted."""
    command = [sys.executable, str(tree / "experiments" / "ablation_grid.py"), *arguments]
    database = Path(arguments[-1]) / "mlflow.db"
    started = time.monotonic()
    # Ray's workers import from the folder of the command before all else, so that it has to be the tree's own.
    process = subprocess.Popen(
        command, env=environment(tree), cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not _has_seed_run(database):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
            time.sleep(0.05)
        return time.monotonic() - started
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _has_seed_run(database: Path) -> bool:
    if not database.exists():
        return False
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            found = connection.execute("select 1 from tags where key = 'fmerl.level' and value = 'seed' limit 1")
            return found.fetchone() is not None
        except sqlite3.OperationalError:  # tables are being made
            return False


if __name__ == "__main__":
    main()
