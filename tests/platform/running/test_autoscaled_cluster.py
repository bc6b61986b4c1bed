"""`cluster/gpu.yaml`'s own node types, grown from none for a grid that is submitted as a job; a node is killed midway.

Ray's fake provider stands in for AWS: it starts each node as processes of this machine. Node types, limits and the
speed of growth are those of the file; what an instance type brings, which AWS would be asked for, is written here.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import yaml
from helpers.faulty_study import finished_cells
from helpers.processes import below
from helpers.ray_heads import free_port, head, head_process, lose, submit
from helpers.repository import REPOSITORY
from ray.autoscaler._private.util import prepare_config

from fmerl_platform.ledger.experiment import Experiment

INSTANCES = {"m6i.xlarge": {"CPU": 4}, "g5.2xlarge": {"CPU": 8, "GPU": 1, "accelerator_type:A10G": 1}}
FAKE_HEAD = "ray.head.default"
"""The one name that the fake provider gives to a head's type."""
SEEDS = 5
CELLS = 2 * SEEDS


def fake_cluster(gcs_address: str, path: Path) -> Path:
    """Write the file as the head's autoscaler reads it, with AWS replaced and nothing else."""
    config = prepare_config(yaml.safe_load((REPOSITORY / "cluster" / "gpu.yaml").read_text()))
    types = {}
    for name, kind in config["available_node_types"].items():
        resources = {**INSTANCES[kind["node_config"]["InstanceType"]], "object_store_memory": 100 * 2**20}
        fake_name = FAKE_HEAD if name == config["head_node_type"] else name
        types[fake_name] = {**kind, "resources": resources, "node_config": {}}
    config["available_node_types"], config["head_node_type"] = types, FAKE_HEAD
    config["provider"] = {"type": "fake_multinode", "gcs_address": gcs_address, "disable_node_updaters": True}
    config["file_mounts"] = {}
    path.write_text(yaml.safe_dump(config))
    return path


def nodes(head_pid: int) -> dict[psutil.Process, str]:
    """Raylets that the autoscaler started, and the node type of each."""
    found = {}
    for process in psutil.Process(head_pid).children(recursive=True):
        try:
            if process.name() == "raylet" and (kind := process.environ().get("RAY_NODE_TYPE_NAME")):
                found[process] = kind
        except psutil.Error:
            continue
    return found


def head_raylet(head_pid: int) -> int:
    """The head's own raylet; its environment names no node type."""
    found = below(head_pid, "/raylet/raylet ")
    grown = {process.pid for process in nodes(head_pid)}
    return next(process.pid for process in found if process.pid not in grown)


@pytest.mark.slow
def test_grid_grows_the_cluster_and_outlives_a_node(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("a")
    python, storage, gcs, temporary = Path(sys.executable), folder / "runs", free_port(), folder / "ray"
    address = f"{socket.gethostbyname(socket.gethostname())}:{gcs}"
    config = fake_cluster(address, folder / "fake.yaml")
    grid = ["--corpus", "synthetic-meld", "--scale", "0.1", "--epochs", "12", "--variants", "w/o Valence"]
    grid += ["--seeds", *map(str, range(SEEDS)), "--storage", str(storage)]
    log: list[str] = []
    began = time.monotonic()

    def finished() -> int:
        return len(finished_cells(storage / "mlflow.db"))

    def tell(text: str) -> None:
        log.append(f"{time.monotonic() - began:5.0f} s  {text}")
        print(log[-1], flush=True)

    with head(
        REPOSITORY,
        python,
        temporary,
        cpus=INSTANCES["m6i.xlarge"]["CPU"],
        gcs_port=gcs,
        options=[f"--autoscaling-config={config}"],
        variables={
            "FMERL_CLUSTER_FILE": str(config),
            "RAY_FAKE_CLUSTER": "1",
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_prestart_worker_first_driver": "0",
        },
    ) as dashboard:
        pid = head_process(temporary).pid
        assert not nodes(pid), "the cluster has workers before there is work"
        tell("head is up, no workers")
        planned = submit(dashboard, python, folder, grid=[*grid, "--dry-run"])
        assert f"{CELLS} of {CELLS} cells at once" in planned
        assert "a cell takes 1 x (1 CPU, 0.125 GPU)" in planned
        assert not nodes(pid), "a dry run started nodes"
        tell("a dry run said so: 1 CPU and .125 GPU a cell, all at once")
        lost: list[tuple[str, int]] = []
        on_head = False
        seen: dict[psutil.Process, str] = {}
        over = threading.Event()

        def watch() -> None:
            """Tell of new nodes; kill one that trains, as the cloud takes a spot machine."""
            nonlocal on_head
            while not over.wait(0.3):
                on_head = on_head or bool(below(head_raylet(pid), "ImplicitFunc"))
                for process, kind in nodes(pid).items():
                    if process not in seen:
                        seen[process] = kind
                        tell(f"a node of type {kind} was added, {finished()} of {CELLS} cells finished")
                training = [process for process in seen if process.is_running() and below(process.pid, "ImplicitFunc")]
                if not lost and finished() and len(training) > 1:
                    lose(training[0])
                    lost.append((seen[training[0]], finished()))
                    tell(f"a node of type {lost[0][0]} was killed, {lost[0][1]} of {CELLS} cells finished")

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        output = submit(dashboard, python, folder, grid=grid)
        over.set()
        watcher.join(20)
        tell(f"the job ended, {finished()} of {CELLS} cells finished")
    assert not on_head, "a cell was trained on the head"
    assert lost, "no node was killed"
    assert lost[0][1] < CELLS, "the grid was over before the node was lost"
    assert "succeeded" in output
    kinds = Counter(seen.values())
    assert set(kinds) <= {"gpu", "gpu-spot"}
    assert sum(kinds.values()) >= 2
    experiment = Experiment.open(f"sqlite:///{storage / 'mlflow.db'}", "ablation", None)
    runs = experiment.find(level="seed")
    assert len(runs) == len({run.data.tags["fmerl.fingerprint"] for run in runs}) == CELLS
    assert {run.info.status for run in runs} == {"FINISHED"}
