#!/usr/bin/env bash
# MLflow 3.17.2: on SQLite the history of one run's metric is read through the values of all runs, though an index by run
# is there.
#
# Guess: `get_metric_history(run, key)` takes a time of the run's own values, since its table has an index on (run, key,
#        step).
# Seen:  the same 20 values took 13.3 ms beside 3,000 runs and .6 beside 30: SQLite takes the primary key's index,
#        which begins with the metric's name and covers the query, and goes through that metric of every run. MLflow never
#        runs ANALYZE, so SQLite does not know better. After `ANALYZE metrics`, some hundredths of a second, it takes the
#        index by run: 3.1 ms.
# For a user: charts and exports of a study grow with the square of its runs. `sqlite3 mlflow.db 'analyze metrics'` mends
# it, once runs have values. Here a report has it done first (`fmerl_platform.ledger.store`).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlflow==3.17.2

cat > "$folder/probe.py" <<'PYTHON'
import logging
import sqlite3
import sys
import time
from statistics import median

from mlflow import MlflowClient
from mlflow.entities import Metric

logging.getLogger("alembic").setLevel(logging.WARNING)
path = f"{sys.argv[1]}/mlflow.db"
client = MlflowClient(f"sqlite:///{path}")
experiment = client.create_experiment("e")
QUERY = "explain query plan select * from metrics where run_uuid = '' and key = 'loss'"


def grow(count):
    for _ in range(count):
        run = client.create_run(experiment).info.run_id
        client.log_batch(run, metrics=[Metric("loss", 1 / step, 0, step) for step in range(1, 21)])
    return run


def milliseconds(run):
    times = []
    for _ in range(15):
        started = time.perf_counter()
        assert len(client.get_metric_history(run, "loss")) == 20
        times.append(1000 * (time.perf_counter() - started))
    return median(times)


def way():
    with sqlite3.connect(path) as connection:
        return connection.execute(QUERY).fetchall()[0][3]


few = milliseconds(grow(30))
last = grow(3_000)
many, before = milliseconds(last), way()
with sqlite3.connect(path) as connection:
    connection.execute("analyze metrics")
counted, after = milliseconds(last), way()
print(f"30 runs: {few:.1f} ms; 3,030 runs: {many:.1f} ms, {before}; analysed: {counted:.1f} ms, {after}")
assert "(key=?)" in before and "run_uuid=?" in after, "the behaviour has changed"
assert many > 1.5 * counted, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
