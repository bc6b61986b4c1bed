#!/usr/bin/env bash
# Ray Tune 2.60.0: a worker that is used again and dies between two trials ends the second one, whatever max_failures says.
#
# Guess: with max_failures=30 a trial has to fail 31 times before it is given up; a worker that dies costs a retry.
# Seen:  with reuse_actors=True, of 60 trials on workers of which half die 1 to 1,000 ms after a trial, ten to fifteen
#        end with an error after two failures. Both calls that wait on the dead worker fail; at the first the trial goes
#        back to wait for a worker, at the second it is no longer running, and then it is given up. With
#        reuse_actors=False every trial is finished.
# For a user: on machines that can be taken away, or whose memory is short, trials are missing from a grid though
# retries were left. Look at ResultGrid.errors, and run those trials again.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[tune]==2.60.0"

cat > "$folder/probe.py" <<'PYTHON'
import os
import random
import sys
import threading

os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
import ray
from ray import tune

TRIALS, MOST = 60, 30


class Failures(tune.Callback):
    """How often the trials that ended with an error had failed."""

    def __init__(self):
        self.given_up = []

    def __getstate__(self):
        return {}

    def on_trial_error(self, iteration, trials, trial, **info):
        self.given_up.append(trial.num_failures)


def train(config):
    tune.report({"score": 1})
    if random.random() < 0.5:
        threading.Timer(10 ** random.uniform(-3, 0), lambda: os._exit(1)).start()


ray.init(
    address="local", num_cpus=2, object_store_memory=100 * 2**20, logging_level="CRITICAL", log_to_driver=False
)
for reused in (True, False):
    seen = Failures()
    tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space={"number": tune.grid_search(list(range(TRIALS)))},
        tune_config=tune.TuneConfig(reuse_actors=reused, max_concurrent_trials=2),
        run_config=tune.RunConfig(
            name=f"reused-{reused}",
            storage_path=sys.argv[1],
            failure_config=tune.FailureConfig(max_failures=MOST),
            callbacks=[seen],
            verbose=0,
        ),
    ).fit()
    print(f"reuse_actors={reused}: {len(seen.given_up)} of {TRIALS} trials given up, after {set(seen.given_up)} failures")
    assert bool(seen.given_up) == reused, "the behaviour has changed"
    assert all(count <= MOST for count in seen.given_up), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder/results" 2> "$folder/errors" | grep '^reuse_actors' || {
    cat "$folder/errors"
    exit 1
}
