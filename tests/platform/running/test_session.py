"""A local Ray beside other clusters of the machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from helpers.ray_heads import environment, head
from helpers.repository import REPOSITORY

_ASK = """
import os
import ray
from ray.util.state import get_actor
from fmerl_platform.running.session import ray_session

@ray.remote
class Watched:
    def name(self):
        return ray.get_runtime_context().get_actor_id()

@ray.remote
def state(actor):
    found = get_actor(actor)
    return found and found.state

os.environ["RAY_API_SERVER_ADDRESS"] = "http://127.0.0.1:1"
with ray_session(dashboard=True):
    watched = Watched.remote()
    print(ray.get(state.remote(ray.get(watched.name.remote()))))
assert os.environ["RAY_API_SERVER_ADDRESS"] == "http://127.0.0.1:1", "the user's own comes back"
"""


@pytest.mark.slow
def test_ray_trains_watch_asks_the_cluster_that_it_runs_in() -> None:
    """Its controller would else be looked for in the other cluster, or in none, since there are two."""
    python = Path(sys.executable)
    with tempfile.TemporaryDirectory() as folder, head(Path(folder), python, Path(folder) / "ray", cpus=1):
        asked = subprocess.run(
            [python, "-c", _ASK],
            cwd=REPOSITORY,
            env={**environment(python), "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'platform'}"},
            capture_output=True,
            text=True,
        )
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.split() == ["ALIVE"]
