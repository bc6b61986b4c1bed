"""Memory of a study, beside another checkout of the project: PSS of all its processes at their peak, the two in turn.

PSS counts a page that n processes share as 1/n in each, so that a sum over processes is what the machine gives. All
descendants of the command are counted: the driver, workers, and Ray's own processes. `--beside DIR` is a checkout whose
commands run in this environment, such as one of the last release. Without it only this checkout's figures are printed.
What stands after `--` goes to `experiments/ablation_grid.py`; corpora are written before anything is measured.

    python benchmarks/memory.py
    python benchmarks/memory.py --beside ../last-release --runs 3 -- --seeds 0 1 2 3 4
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import psutil
from startup import HERE, environment

SMALL = ("--seeds", "0", "--epochs", "3")
SECONDS = 0.5
"""Between two looks at the processes."""
ROLES = ("driver", "training workers", "other workers", "Ray's own", "all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, metavar="DIR", help="another checkout")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="of each (default: %(default)s)")
    parser.add_argument("study", nargs="*", metavar="ARGUMENT", help=f"of the study (default: {' '.join(SMALL)})")
    arguments = parser.parse_args()
    trees = [HERE, *([arguments.beside.resolve()] if arguments.beside else [])]
    peaks: dict[Path, list[Counter[str]]] = {tree: [] for tree in trees}
    for _ in range(arguments.runs):
        for tree in trees:
            peaks[tree].append(_peak(tree, arguments.study or SMALL))
    print(f"{'MiB of PSS at the peak':<24}{'here':>9}{'beside':>9}{'ratio':>8}")
    for role in ROLES:
        medians = [median(peak[role] for peak in peaks[tree]) / 2**20 for tree in trees]
        beside = f"{medians[1]:>9.0f}{medians[0] / max(medians[1], 1e-9):>8.2f}" if len(medians) > 1 else ""
        print(f"{role:<24}{medians[0]:>9.0f}{beside}")


def _peak(tree: Path, study: Sequence[str]) -> Counter[str]:
    """Bytes by role when their sum was largest, in a study of its own."""
    with tempfile.TemporaryDirectory() as folder:
        script = tree / "experiments" / "ablation_grid.py"
        command = [sys.executable, str(script), *study, "--storage", folder]
        # Ray's workers look for modules in the command's folder as well.
        started = partial(subprocess.Popen, cwd=tree, env=environment(tree), stdout=subprocess.DEVNULL)
        with started([*command, "--dry-run"]) as written:
            if written.wait():
                raise SystemExit(f"{' '.join(command)} --dry-run ended with {written.returncode}")
        with started(command) as process:
            peak: Counter[str] = Counter()
            try:
                while process.poll() is None:
                    peak = max(peak, _bytes_by_role(process.pid), key=lambda each: each["all"])
                    time.sleep(SECONDS)
            finally:
                process.terminate()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return peak


def _bytes_by_role(driver: int) -> Counter[str]:
    found: Counter[str] = Counter()
    try:
        processes = [psutil.Process(driver), *psutil.Process(driver).children(recursive=True)]
    except psutil.NoSuchProcess:
        return found
    for process in processes:
        try:
            role, size = _role(process, driver), process.memory_full_info().pss
        except psutil.Error:  # it ended meanwhile
            continue
        found.update({role: size, "all": size})
    return found


def _role(process: psutil.Process, driver: int) -> str:
    """Workers name themselves by what they do."""
    if process.pid == driver:
        return "driver"
    title = " ".join(process.cmdline())
    if not title.startswith("ray::"):
        return "Ray's own"
    return "other workers" if title.startswith("ray::IDLE") else "training workers"


if __name__ == "__main__":
    main()
