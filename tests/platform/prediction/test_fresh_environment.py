"""A logged model in an environment of its own: the wheel and its packages, and no source tree."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import mlflow
import numpy as np
import pytest
from helpers.finished_study import Finished
from helpers.repository import REPOSITORY

from fmerl.bundle.folder import read_manifest
from fmerl_platform import predict
from fmerl_platform.ledger.models.bundles import tracked_by
from fmerl_platform.prediction.export import log_to_mlflow
from fmerl_platform.prediction.requirements import EXAMPLE


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; other packages are those of this one, whose `.pth` files, and so the source
    tree of an editable install, do not count there."""
    home = tmp_path_factory.mktemp("fresh")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(home), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
    python = home / "venv" / "bin" / "python"
    [wheel] = home.glob("fmerl-*.whl")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True, capture_output=True)
    (own,) = (home / "venv").glob("lib/python*/site-packages")
    (own / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


@pytest.mark.slow
def test_mlflow_models_predict_needs_the_wheel_alone(
    python: Path, finished: Finished, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    clean = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    where = "import fmerl, sys; print(fmerl.__file__)"
    place = subprocess.run([python, "-c", where], cwd=tmp_path, env=clean, capture_output=True, text=True).stdout
    assert Path(place.strip()).is_relative_to(python.parents[1])
    logged = log_to_mlflow(finished.results, read_manifest(bundle), bundle, None, None)
    with tracked_by(finished.results.experiment.uri):
        model = mlflow.artifacts.download_artifacts(logged.uri, dst_path=str(tmp_path / "model"))
    pride = "pride=Arousal: a day, Valence: what a day, Dominance: my god"
    asked = {"dataframe_records": list(EXAMPLE), "params": {"classes": [pride]}}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    command: list[str | Path] = [
        python,
        "-m",
        "mlflow",
        "models",
        "predict",
        "--model-uri",
        model,
        "--env-manager",
        "local",
    ]
    command += ["--input-path", "asked.json", "--output-path", "told.json", "--content-type", "json"]
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "told.json").read_text())["predictions"]
    wanted = predict(bundle, EXAMPLE, classes=[pride])
    assert [row["predicted"] for row in told] == wanted["predicted"].tolist()
    chances = [row["pride"] for row in told]
    np.testing.assert_allclose(chances, wanted["pride"], atol=1e-5)
