"""One local Ray for the whole suite, and where the optional real data lies."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY
from hypothesis import settings

# Before Ray is imported: no token files, no telemetry, and no worker killed for the machine's other memory users.
os.environ.update(
    RAY_AUTH_MODE="disabled",
    RAY_USAGE_STATS_ENABLED="0",
    RAY_memory_monitor_refresh_ms="0",
    RAY_TRAIN_HEALTH_CHECK_INTERVAL_S="0.1",
    OMP_NUM_THREADS="1",
    HF_HUB_OFFLINE="1",
)
os.environ.pop("RAY_ADDRESS", None)
os.environ.pop("MLFLOW_TRACKING_URI", None)

# The same examples in every run, whichever tests are run, and none too slow for a loaded machine.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """Two logical CPUs on this machine."""
    import ray

    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])
    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=200 * 2**20,
        include_dashboard=False,
        logging_level=logging.WARNING,
        runtime_env={"env_vars": {"PYTHONPATH": paths}},
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with `meld/` and `emobank/`: FMERL_SHARED_DATA, or beside the checkout."""
    folder = Path(os.environ.get("FMERL_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set FMERL_SHARED_DATA to test on it")
    return folder


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One MLflow database for the whole suite, since making one takes seconds; tests bring their own experiment."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
