"""Cluster files hold what Ray asks of them and what this project promises of them; no cloud is needed."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml
from helpers.repository import REPOSITORY

# Ray publishes no other way to check a cluster file without starting it.
from ray.autoscaler._private.util import prepare_config, validate_config

CLUSTER = REPOSITORY / "cluster"
FILES = ("gpu.yaml", "on_premise.yaml")


def read(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((CLUSTER / name).read_text())
    return config


@pytest.mark.parametrize("name", FILES)
def test_ray_takes_the_file(name: str) -> None:
    validate_config(prepare_config(read(name)))


@pytest.mark.parametrize("name", FILES)
def test_ray_is_started_in_the_project_with_its_environment(name: str) -> None:
    config = read(name)
    for place in ("head_start_ray_commands", "worker_start_ray_commands"):
        (start,) = (command for command in config[place] if "ray start" in command)
        assert (
            start.index("source ~/fmerl/cluster/environment.sh") < start.index("cd ~/fmerl") < start.index("ray start")
        )
    assert config["file_mounts"]["~/fmerl"] == "."
    assert "~/.ray/auth_token" in config["file_mounts"]
    head = config["head_start_ray_commands"]
    assert any("mlflow_server.sh" in command for command in head)
    assert any("--dashboard-host=127.0.0.1" in command for command in head), "the dashboard must not be open"


def test_environment_asks_for_tokens_and_names_the_tracking_server() -> None:
    script = "source cluster/environment.sh; echo $RAY_AUTH_MODE $MLFLOW_TRACKING_URI"
    run = subprocess.run(
        ["bash", "-c", script],
        cwd=CLUSTER.parent,
        env={"RAY_HEAD_IP": "192.0.2.1", "HOME": "/root", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["token", "http://192.0.2.1:5000"]


@pytest.mark.parametrize("name", ["environment.sh", "set_up_node.sh", "mlflow_server.sh", "slurm.sh"])
def test_scripts_are_sound_bash(name: str) -> None:
    subprocess.run(["bash", "-n", CLUSTER / name], check=True)


def test_only_ssh_is_open_on_aws_and_spot_is_spot() -> None:
    config = read("gpu.yaml")
    ports = {(rule["FromPort"], rule["ToPort"]) for rule in config["provider"]["security_group"]["IpPermissions"]}
    assert ports == {(22, 22)}
    types = config["available_node_types"]
    assert types["gpu-spot"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in types["head"]["node_config"]
    assert "InstanceMarketOptions" not in types["gpu"]["node_config"]
    assert sum(kind.get("max_workers", 0) for kind in types.values()) == config["max_workers"]


@pytest.mark.parametrize(("change", "named"), [("available_node_types", "head"), ("provider", "type")])
def test_the_check_can_fail(change: str, named: str) -> None:
    config = read("gpu.yaml")
    del config[change][named]
    with pytest.raises(Exception, match=r"head|type|required"):
        validate_config(prepare_config(config))
