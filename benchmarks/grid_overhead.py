"""What a grid costs beside its training: time from first cell's start to last cell's end over pure training time.

Read from the MLflow runs of a finished study that ran in one go; a resumed one has gaps. Without `--storage`, a small
grid is run for it. Ray's start-up (study's run opened -> first cell's start) is told apart.

    python benchmarks/grid_overhead.py
    python benchmarks/grid_overhead.py --storage runs --study ablation --slots 2
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fmerl_platform.ledger.experiment import Experiment

ROOT = Path(__file__).parents[1]
SMALL = ("--corpus", "synthetic-meld", "--scale", "0.25", "--seeds", "0", "1", "--study", "overhead")
TARGET = 1.10


def measure(storage: Path, study: str, slots: int) -> None:
    """Print the study's account, in seconds."""
    experiment = Experiment.in_storage(storage, study)
    cells = [run for run in experiment.find(level="seed") if run.info.status == "FINISHED"]
    if not cells:
        raise SystemExit(f"{storage}: study {study} has no finished cell")
    (opened,) = experiment.find(level="study")
    # MLflow's times are milliseconds.
    started, ended = min(run.info.start_time for run in cells) / 1e3, max(run.info.end_time for run in cells) / 1e3
    pure = sum(run.data.metrics["train_seconds"] for run in cells)
    in_cells = sum(run.info.end_time - run.info.start_time for run in cells) / 1e3
    print(f"cells                         {len(cells)} on {slots} slots")
    print(f"start-up until the first cell {started - opened.info.start_time / 1e3:.1f} s")
    print(f"first start to last end       {ended - started:.1f} s")
    print(f"pure training / slots         {pure / slots:.1f} s")
    print(f"logging within cells / slots  {(in_cells - pure) / slots:.1f} s")
    print(f"between cells and idle        {ended - started - in_cells / slots:.1f} s")
    print(f"ratio                         {(ended - started) / (pure / slots):.2f} (target {TARGET:.2f})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", type=Path, help="of a finished study; default: run a small one")
    parser.add_argument("--study", default="ablation", help="default: %(default)s")
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1, help="cells at once (default: the cores)")
    arguments = parser.parse_args()
    if arguments.storage:
        measure(arguments.storage, arguments.study, arguments.slots)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "experiments" / "ablation_grid.py"), *SMALL, "--storage", folder]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"the whole command             {time.perf_counter() - started:.1f} s")
        measure(Path(folder), SMALL[-1], arguments.slots)
    return 0


if __name__ == "__main__":
    sys.exit(main())
