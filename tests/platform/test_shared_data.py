"""What reaches training on Ray: arrays in shared memory, read in place by every worker."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from ray import tune

from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> CorpusInputs:
    study = Study("shared", corpora=["synthetic-meld"], variants=PAPER[:1], inputs=InputOptions(scale=0.05))
    (found,) = load_inputs(study, tmp_path_factory.mktemp("storage"))
    return found


def test_workers_read_one_buffer_in_place(local_ray: None, inputs: CorpusInputs, tmp_path: Path) -> None:
    def look(config: dict[str, Any], *, corpora: dict[str, CorpusInputs], told: Path) -> None:
        """Where a trial's features lie: the mapping around their address, and whether they can be written to."""
        (inputs,) = corpora.values()
        lines = []
        for modality, values in inputs.data.features.items():
            place = values.__array_interface__["data"][0]
            for line in Path("/proc/self/maps").read_text().splitlines():
                span, permissions, *_, name = line.split(maxsplit=5)
                start, end = (int(edge, 16) for edge in span.split("-"))
                if start <= place < end:
                    digest = hashlib.sha256(values.data).hexdigest()
                    lines.append(f"{modality} {permissions} {place - start} {values.flags.writeable} {digest} {name}")
        (told / str(os.getpid())).write_text("\n".join(lines))
        tune.report({"seen": len(lines)})

    told = tmp_path / "told"
    told.mkdir()
    trainable = tune.with_parameters(look, corpora={"one": inputs}, told=told)
    tune.Tuner(
        tune.with_resources(trainable, {"CPU": 1}),
        param_space={"trial": tune.grid_search([0, 1])},
        run_config=tune.RunConfig(storage_path=str(tmp_path / "tune"), verbose=0),
    ).fit()
    seen = [path.read_text().splitlines() for path in told.iterdir()]
    assert len(seen) == 2, "two processes"
    assert seen[0] == seen[1], "the same place in the same mapping"
    assert len(seen[0]) == 3
    for line, (modality, values) in zip(seen[0], inputs.data.features.items(), strict=True):
        name, permissions, _, writeable, digest, mapping = line.split(maxsplit=5)
        assert name == modality
        assert permissions.endswith("s"), "shared, not private"
        assert writeable == "False"
        assert mapping.startswith("/dev/shm/")
        assert digest == hashlib.sha256(values.data).hexdigest()
