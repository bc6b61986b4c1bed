#!/usr/bin/env bash
# ray 2.60.0: an actor takes one of the workers that Ray starts ahead only if the job has no runtime environment, and never
# one that has run a task.
#
# Guess: tasks that import the heavy modules leave warm workers behind, which actors (such as trials of Ray Tune) then take;
#        an environment variable in the job's runtime environment changes nothing of that.
# Seen:  without a runtime environment two actors are the two workers that were idle. With one variable set by it, they are
#        new processes, and the idle ones stay idle. After a task on each of two workers, actors are new processes as well,
#        though nothing else differs.
# For a user: nothing that a task imported is there when an actor starts, and the first actors of a job that sets
# env_vars wait for processes that plain ones have ready. Variables set before ray.init reach local workers, too.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[default]==2.60.0"

cat > "$folder/probe.py" <<'PYTHON'
import os
import sys
import time

import ray
from ray.util.state import list_workers

how = sys.argv[1]
environment = {"env_vars": {"A_VARIABLE": "1"}} if how == "variable" else None
ray.init(address="local", num_cpus=2, object_store_memory=100 * 2**20, runtime_env=environment, logging_level="ERROR")


def idle():
    return {worker["pid"] for worker in list_workers(filters=[("worker_type", "=", "WORKER"), ("is_alive", "=", "True")])}


@ray.remote(num_cpus=1)
def task():
    time.sleep(2)  # so that the other one runs on another worker
    return os.getpid()


@ray.remote(num_cpus=1)
class Actor:
    def process(self):
        return os.getpid()


while len(idle()) < 2:
    time.sleep(0.2)
before = set(ray.get([task.remote(), task.remote()])) if how == "task" else idle()
actors = [Actor.remote() for _ in range(2)]
taken = len(before & set(ray.get([actor.process.remote() for actor in actors])))
print(f"ray {ray.__version__}, {how}: {taken} of {len(before)} ready workers are taken by two actors", flush=True)
assert taken == (2 if how == "plain" else 0), "the behaviour has changed"
PYTHON
for how in plain variable task; do
    "$folder/venv/bin/python" "$folder/probe.py" "$how"
done
