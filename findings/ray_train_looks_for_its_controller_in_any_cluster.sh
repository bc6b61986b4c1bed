#!/usr/bin/env bash
# Ray Train 2.60.0: beside a second Ray on the machine, a run loses the watch that frees its resources.
#
# Guess: a run of Ray Train asks the cluster that it runs in, whatever else the machine runs.
# Seen:  the actor that frees a run's placement group when its controller has died looks for the controller by the state
#        API without an address. That takes the cluster of RAY_API_SERVER_ADDRESS or RAY_ADDRESS, else the one that `ray
#        start` began last, else the only one that runs. With two local ones the watch ends in a ConnectionError, which
#        is printed while the run goes on; with one by `ray start` it does not find the controller, takes it for dead,
#        and ends.
# For a user of a shared machine: a traceback for every run, and resources that stay taken when a controller dies.
# Give the local Ray a dashboard port, and its address in RAY_API_SERVER_ADDRESS before ray.init.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[default,train]==2.60.0" torch==2.13.0

cat > "$folder/other.py" <<'PYTHON'
import ray

ray.init(address="local", num_cpus=1, include_dashboard=False)
print("ready", flush=True)
input()
PYTHON

cat > "$folder/run.py" <<'PYTHON'
import os
import socket
import sys
import time

import ray
import ray.train
from ray.train.torch import TorchTrainer


def train(config):
    time.sleep(10)


with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
if sys.argv[1] == "told":
    os.environ["RAY_API_SERVER_ADDRESS"] = f"http://127.0.0.1:{port}"
ray.init(address="local", num_cpus=2, include_dashboard=True, dashboard_port=port)
scaling, run = ray.train.ScalingConfig(num_workers=1), ray.train.RunConfig(storage_path=sys.argv[2])
TorchTrainer(train, scaling_config=scaling, run_config=run).fit()
print("the run ended")
PYTHON

cat > "$folder/probe.py" <<'PYTHON'
import os
import subprocess
import sys
from pathlib import Path

folder = Path(sys.argv[1])
kept = {key: value for key, value in os.environ.items() if key not in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")}
environment = {**kept, "RAY_USAGE_STATS_ENABLED": "0"}
other = subprocess.Popen(
    [sys.executable, folder / "other.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
)
assert other.stdout.readline() == "ready\n"
seen = {}
for how in ("untold", "told"):
    command = [sys.executable, folder / "run.py", how, folder / how]
    run = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = run.stdout
    ended, lost = "the run ended" in output, "ConnectionError: Found multiple active Ray instances" in output
    seen[how] = ended, lost
    print(f"{how:7} the run ended: {ended}, its watch ended in a ConnectionError: {lost}")
other.communicate("\n")
assert seen == {"untold": (True, True), "told": (True, False)}, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
