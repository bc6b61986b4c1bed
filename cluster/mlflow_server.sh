#!/usr/bin/env bash
# MLflow on the head: database on its disk, copied to the bucket every five minutes and brought back to a new head;
# artifacts in the bucket, passed through the server, so that workers need no access of their own.
set -euo pipefail
source ~/fmerl/cluster/environment.sh
home=~/mlflow
mkdir -p "$home"
if [ -f "$home/server.pid" ] && kill -0 "$(cat "$home/server.pid")" 2> /dev/null; then exit 0; fi

copy() { # FROM TO, between local files and the bucket
    python - "$1" "$2" <<'PYTHON'
import sys
import boto3
source, target = sys.argv[1:]
remote = target if target.startswith("s3://") else source
bucket, _, key = remote.removeprefix("s3://").partition("/")
client = boto3.client("s3")
client.upload_file(source, bucket, key) if remote == target else client.download_file(bucket, key, target)
PYTHON
}

if [ -n "$FMERL_BUCKET" ]; then
    [ -f "$home/mlflow.db" ] || copy "$FMERL_BUCKET/mlflow.db" "$home/mlflow.db" || echo "no earlier database: a new one"
    (
        while sleep 300; do
            python -c "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))" \
                "$home/mlflow.db" "$home/copy.db" && copy "$home/copy.db" "$FMERL_BUCKET/mlflow.db"
        done
    ) > "$home/backup.log" 2>&1 &
fi

address=$(hostname -I | cut -d' ' -f1)
MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false nohup mlflow server --host 0.0.0.0 --port 5000 --workers 1 \
    --allowed-hosts "$address:5000,localhost:5000,127.0.0.1:5000" \
    --backend-store-uri "sqlite:///$home/mlflow.db" \
    --artifacts-destination "${FMERL_BUCKET:-$home}/artifacts" > "$home/server.log" 2>&1 &
echo $! > "$home/server.pid"
for _ in $(seq 60); do
    if curl --fail --silent "http://localhost:5000/health" > /dev/null; then exit 0; fi
    sleep 1
done
tail -n 20 "$home/server.log" >&2
exit 1
