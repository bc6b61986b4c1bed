"""Time the verdicts of a full ablation on a MELD-sized test set.

Seven variants x five seeds, 280 dialogues, about 2,610 utterances, 7 classes.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import time

import numpy as np
from simulated_studies import MELD_TEST_COUNTS, StudyModel, simulate_study

from fmerl_platform.statistics import compare, estimate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=int, default=10_000, help="resampled test sets (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="seeds per variant (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs, of which the fastest counts (default: %(default)s)"
    )
    arguments = parser.parse_args()

    control, variants = simulate_study(np.random.default_rng(0), StudyModel(n_seeds=arguments.seeds))
    n_classes = len(MELD_TEST_COUNTS)
    cells = sum(len(side) for side in (control, *variants.values()))
    compare_seconds, estimate_seconds = [], []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        compare(control, variants, n_classes, resamples=arguments.resamples)
        compare_seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        for side in (control, *variants.values()):
            estimate(side, n_classes, resamples=arguments.resamples)
        estimate_seconds.append(time.perf_counter() - start)

    print(f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}")
    print(f"study: {cells} cells, {len(control[0].gold)} utterances, {arguments.resamples} resamples")
    print(f"compare (all verdicts): {min(compare_seconds):.2f} s")
    print(f"estimate (every variant, one metric): {min(estimate_seconds):.2f} s")
    # ru_maxrss is in KiB on Linux.
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
