"""Bundles that cells kept on their runs."""

from __future__ import annotations

import tempfile

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from fmerl.bundle.folder import read_bundle
from fmerl.bundle.model import Bundle
from fmerl.errors import InputError
from fmerl_platform.ledger.schema import BUNDLE


def keeps_bundle(client: MlflowClient, run_id: str) -> bool:
    """True if the run keeps its cell's model.

    Raises:
        InputError: There is no such run.
    """
    try:
        return BUNDLE in {file.path for file in client.list_artifacts(run_id)}
    except MlflowException as error:
        raise InputError(f"run {run_id}", str(error).splitlines()[0], "name a run of this storage") from None


def read_kept(client: MlflowClient, run_id: str) -> Bundle | None:
    """The bundle that a cell's run keeps; None where it keeps none.

    Raises:
        InputError: There is no such run, or its bundle is damaged.
    """
    if not keeps_bundle(client, run_id):
        return None
    with tempfile.TemporaryDirectory() as folder:
        return read_bundle(client.download_artifacts(run_id, BUNDLE, folder))
