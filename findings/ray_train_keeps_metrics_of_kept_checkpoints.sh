#!/usr/bin/env bash
# Ray Train 2.60.0: a result holds the metrics that came with checkpoints that are still kept, and no others.
#
# Guess: `Result.metrics` is what was reported last, and `metrics_dataframe` has a row of every report ("The full result
#        dataframe", as its documentation has it), however many checkpoints there are.
# Seen:  of four reports without a checkpoint both are None. With a checkpoint at the second report only, the metrics
#        are those of the second, and the frame has that one row. With one at each and num_to_keep=1 the frame has the
#        last row only, though all four were saved.
# For a user who reads learning curves or the last score from the result: curves are as long as num_to_keep, and a score
# reported after the last checkpoint is gone. Return values or a tracker such as MLflow hold the rest.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[train]==2.60.0"

cat > "$folder/probe.py" <<'PYTHON'
import logging
import sys
import tempfile

import ray
from ray import train
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

logging.disable(logging.CRITICAL)


def loop(config: dict[str, list[int]]) -> None:
    for epoch in range(1, 5):
        metrics = {"epoch": epoch}
        if epoch in config["checkpoints"]:
            with tempfile.TemporaryDirectory() as folder:
                train.report(metrics, checkpoint=train.Checkpoint.from_directory(folder))
        else:
            train.report(metrics)


CASES = [
    ("no checkpoint", [], None, None, None),
    ("one at the second report", [2], None, 2, [2]),
    ("one at each report", [1, 2, 3, 4], None, 4, [1, 2, 3, 4]),
    ("one at each report, one is kept", [1, 2, 3, 4], 1, 4, [4]),
]
ray.init(address="local", num_cpus=2, object_store_memory=100 * 2**20, logging_level="ERROR", log_to_driver=False)
for number, (name, checkpoints, kept, last, rows) in enumerate(CASES):
    result = DataParallelTrainer(
        loop,
        train_loop_config={"checkpoints": checkpoints},
        scaling_config=train.ScalingConfig(num_workers=1),
        run_config=train.RunConfig(
            name=str(number),
            storage_path=sys.argv[1],
            checkpoint_config=train.CheckpointConfig(num_to_keep=kept),
        ),
    ).fit()
    frame = result.metrics_dataframe
    seen = None if frame is None else frame["epoch"].tolist()
    print(f"ray {ray.__version__}, {name}: metrics {result.metrics}, rows of the frame {seen}", flush=True)
    assert (result.metrics or {}).get("epoch") == last and seen == rows, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
