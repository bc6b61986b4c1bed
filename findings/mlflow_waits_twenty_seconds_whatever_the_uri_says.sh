#!/usr/bin/env bash
# MLflow 3.17.2: the `timeout` of an SQLite tracking URI has no effect; a locked file is waited for 20 s.
#
# Guess: SQLAlchemy hands `sqlite:///file.db?timeout=1` to sqlite3.connect, so a call on a file that another program holds
#        fails after 1 s, and one with `timeout=120` waits for two minutes.
# Seen:  both wait 20 s and then raise MlflowException "database is locked": each session of the store sets SQLite's busy
#        timeout anew.
# For a user whose backup, file browser or second program holds the database for longer: runs fail, and no URI mends it.
# Here such calls are made again for ten minutes (`fmerl_platform.ledger.store`).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlflow==3.17.2

cat > "$folder/probe.py" <<'PYTHON'
import logging
import sqlite3
import sys
import threading
import time

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

logging.getLogger("mlflow.store.db").setLevel(logging.CRITICAL)
path = f"{sys.argv[1]}/mlflow.db"
first = MlflowClient(f"sqlite:///{path}")
run = first.create_run(first.create_experiment("e")).info.run_id
for seconds in (1, 120):
    client = MlflowClient(f"sqlite:///{path}?timeout={seconds}")
    client.get_run(run)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("begin exclusive")
    freed = threading.Timer(60, lambda: other.execute("rollback"))
    freed.start()
    started = time.monotonic()
    try:
        client.log_metric(run, f"m{seconds}", 1.0)
        said = "written"
    except MlflowException as error:
        said = "locked" if "database is locked" in str(error) else str(error)
    waited = time.monotonic() - started
    print(f"timeout={seconds}: {said} after {waited:.0f} s")
    freed.cancel()
    freed.join()
    if other.in_transaction:
        other.execute("rollback")
    other.close()
    assert said == "locked" and 15 < waited < 55, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
