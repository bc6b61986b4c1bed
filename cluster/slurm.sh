#!/usr/bin/env bash
# A command on a Ray cluster inside a Slurm allocation, which goes back to the queue at its wall-time limit and resumes:
#
#   sbatch --nodes=4 --gpus-per-node=4 --time=08:00:00 cluster/slurm.sh fmerl ablation --preset paper
#
# Submitted from the project's folder, which all nodes share, with its environment active; README.md, "On Slurm".
#SBATCH --job-name=fmerl
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --requeue
#SBATCH --open-mode=append
# Three minutes before the limit, to this script alone. Not SIGTERM, which is what scancel and preemption send.
#SBATCH --signal=B:USR1@180
set -euo pipefail

fail() { # MESSAGE CODE
    echo "slurm.sh: $1" >&2
    exit "$2"
}

[ $# -gt 0 ] || fail "no command given: sbatch [OPTIONS] cluster/slurm.sh COMMAND [ARGUMENT]..." 2
[ -n "${SLURM_JOB_ID:-}" ] || fail "not in an allocation: submit it with sbatch" 2

signal="" driver="" steps=()

answer() { # SIGNAL: end the command, which saves what it has
    signal=$1
    [ -z "$driver" ] || kill -TERM "$driver" 2> /dev/null || true
}

joined() { # COUNT: whether so many nodes have joined
    python - "$1" &> /dev/null <<'PYTHON'
import sys
import ray
ray.init()
sys.exit(sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[1]))
PYTHON
}

wait_for_nodes() { # COUNT
    until joined "$1"; do
        for step in "${steps[@]}"; do
            kill -0 "$step" 2> /dev/null || fail "a node of Ray, or MLflow's server, has ended; see above and mlflow-server.log" 1
        done
        sleep 1
    done
}

trap 'answer USR1' USR1
trap 'answer TERM' TERM
trap 'kill "${steps[@]}" 2> /dev/null || true; wait' EXIT # not `ray stop`, which would end other jobs' Ray as well

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
others=$((${#nodes[@]} - 1))
ip=${RAY_HEAD_IP:-$(hostname -I | cut -d' ' -f1)}
port=$((20000 + SLURM_JOB_ID % 5000 * 2)) # of the job's own; the next one is MLflow's

if [ "$others" -gt 0 ] && [ -z "${MLFLOW_TRACKING_URI:-}" ]; then
    # Locks on SQLite's file do not hold across a network file system: one process writes it, for all nodes.
    storage=$(realpath -m "${FMERL_STORAGE:-runs}")
    mkdir -p "$storage"
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server --host "$ip" --port "$((port + 1))" --workers 1 \
        --allowed-hosts "$ip:$((port + 1))" --backend-store-uri "sqlite:///$storage/mlflow.db" \
        --no-serve-artifacts --default-artifact-root "file://$storage/artifacts" &> "$storage/mlflow-server.log" &
    steps+=($!)
    export MLFLOW_TRACKING_URI="http://$ip:$((port + 1))"
fi

export RAY_ADDRESS="$ip:$port" RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
ray get-auth-token --generate > /dev/null
ulimit -n 65536 2> /dev/null || true
# shellcheck disable=SC2016 # Each node expands it: Slurm tells it its own CPUs, and shows it its own GPUs.
start='exec ray start --block --temp-dir="/tmp/ray-$SLURM_JOB_ID" --num-cpus="$SLURM_CPUS_ON_NODE" "$@"'
srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" bash -c "$start" head \
    --head --node-ip-address="$ip" --port="$port" --dashboard-host=127.0.0.1 &
steps+=($!)
wait_for_nodes 1
if [ "$others" -gt 0 ]; then
    srun --nodes="$others" --ntasks="$others" --exclude="${nodes[0]}" bash -c "$start" worker --address="$RAY_ADDRESS" &
    steps+=($!)
    wait_for_nodes "${#nodes[@]}"
fi

"$@" &
driver=$!
[ -z "$signal" ] || answer "$signal" # it came while the nodes were waited for
code=0
wait "$driver" || code=$?
if [ -n "$signal" ]; then # which ended that wait, not the command
    code=0
    wait "$driver" || code=$?
fi
if [ "$signal" = USR1 ] && [ "$code" -eq 143 ]; then
    echo "slurm.sh: the wall-time limit is near; the job goes back to the queue and resumes" >&2
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
