#!/usr/bin/env bash
# MLflow 3.17.2: download_artifacts of `models:/` asks the global registry, whatever tracking_uri and registry_uri say.
#
# Guess: `download_artifacts("models:/model/1", tracking_uri=B, registry_uri=B)` gives the files of B's model, as the
#        two parameters are said to be the URIs "to be used when downloading artifacts".
# Seen:  it gives the files of the model of that name in the global store A, with either parameter or both, and says
#        nothing; if A has no such model, it raises "not found". A `runs:/` URI does obey tracking_uri. Only
#        mlflow.set_registry_uri(B) or set_tracking_uri(B) reaches B.
# For a user who has two stores, say one on the laptop and one of the group, both with version 1 of a model: the weights
# are those of the other model. Here the global URI is set for the call (`tracked_by` in `ledger/models/bundles.py`).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mlflow==3.17.2

cat > "$folder/probe.py" <<'PYTHON'
import logging
import os
import sys
from pathlib import Path

os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
import mlflow
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

logging.getLogger("mlflow").setLevel(logging.ERROR)
folder = Path(sys.argv[1])
uris = {name: f"sqlite:///{folder}/{name}.db" for name in "AB"}
runs = {}
for name, uri in uris.items():
    client = MlflowClient(uri)
    place = folder / f"files-of-{name}"
    runs[name] = client.create_run(client.create_experiment("e", artifact_location=str(place))).info.run_id
    client.log_text(runs[name], name, "which.txt")
    for model in ("model", "only_in_B") if name == "B" else ("model",):
        client.create_registered_model(model)
        client.create_model_version(model, str(place / runs[name] / "artifacts"), runs[name])


def files_of(uri: str, **named: str) -> str:
    try:
        return Path(download_artifacts(uri, **named)).joinpath("which.txt").read_text()
    except MlflowException as error:
        return str(error)


mlflow.set_tracking_uri(uris["A"])
asked = {
    "tracking_uri": {"tracking_uri": uris["B"]},
    "registry_uri": {"registry_uri": uris["B"]},
    "both": {"tracking_uri": uris["B"], "registry_uri": uris["B"]},
}
for name, named in asked.items():
    run = files_of(f"runs:/{runs['B']}/", **named) if name != "registry_uri" else "(not asked)"
    model, other = files_of("models:/model/1", **named), files_of("models:/only_in_B/1", **named)
    print(f"global A, B by {name}: run of {run}; model of {model}; the other model: {other}")
    assert run in ("B", "(not asked)") and model == "A" and "not found" in other, "the behaviour has changed"
mlflow.set_registry_uri(uris["B"])
print(f"global registry B: model of {files_of('models:/model/1')}")
assert files_of("models:/model/1") == "B", "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
