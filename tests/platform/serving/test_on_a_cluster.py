"""The service on a Ray that is there already: it starts, refuses a second one, and leaves nothing of itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import serving_load
from helpers.serving import free_port

from fmerl.bundle.predictor import Predictor, predict_records
from fmerl.errors import InputError
from fmerl_platform.serving.options import Replicas
from fmerl_platform.serving.request import ServingError, ServingRequest
from fmerl_platform.serving.run import check, serving

pytestmark = pytest.mark.slow


def test_it_comes_alone_and_goes(local_ray: None, bundle: Path, predictor: Predictor) -> None:
    request = ServingRequest(bundle=str(bundle), port=free_port(), replicas=Replicas(cpus_per_replica=0.5))
    found = check(request)
    sent = serving_load.talks(3)
    for _ in range(2):  # the second finds nothing of the first
        with serving(request, found) as served:
            load = asyncio.run(serving_load.send(served.address, sent))
            assert (
                serving_load.differences(load, [predict_records(predictor, turns).to_pylist() for turns in sent]) == []
            )
            with (
                pytest.raises(InputError, match="Ray Serve runs on this cluster already"),
                serving(replace(request, port=free_port()), found),
            ):
                pass


def test_replicas_that_cannot_start_are_told(local_ray: None, bundle: Path, tmp_path: Path) -> None:
    """A bundle that this process can read and the replicas cannot, as on a cluster without a shared folder."""
    request = ServingRequest(bundle=str(bundle), port=free_port(), replicas=Replicas(cpus_per_replica=0.5))
    elsewhere = replace(request, bundle=str(tmp_path / "not here"))
    with pytest.raises(ServingError, match="not here: no folder"), serving(elsewhere, check(request)):
        pass
