"""Bundles in MLflow: those that cells kept on their runs, and those that were logged as models."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from fmerl.bundle.folder import read_bundle
from fmerl.bundle.model import Bundle
from fmerl.errors import InputError
from fmerl_platform.ledger.kept_bundles import read_kept
from fmerl_platform.ledger.schema import BUNDLE
from fmerl_platform.ledger.store import client_of, storage_uri

MODELS = "models:/"
_KEEP = "export its study with --retrain, or train it in a study with --keep-weights"


def read_logged(source: str, storage: Path) -> Bundle:
    """A bundle in MLflow.

    Args:
        source: `models:/NAME/VERSION`, `models:/NAME@ALIAS`, or a run's id.
        storage: Folder whose `mlflow.db` is read, unless `MLFLOW_TRACKING_URI` names a server.

    Raises:
        InputError: No database, run or model of this name, or one without a bundle.
    """
    uri = storage_uri(storage)
    if not source.startswith(MODELS):
        bundle = read_kept(client_of(uri), source)
        if bundle is None:
            raise InputError(f"run {source}", "it keeps no weights", _KEEP)
        return bundle
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tracked_by(uri):
                place = Path(mlflow.artifacts.download_artifacts(source, dst_path=folder))
            parts = Model.load(place).flavors["python_function"]["artifacts"]
            return read_bundle(place / parts[BUNDLE]["path"])
        except (MlflowException, OSError) as error:
            raise InputError(source, str(error).splitlines()[0], "name a registered model") from None
        except KeyError:
            raise InputError(source, "the model holds no bundle", "name one of fmerl export --register") from None


def log_model(
    uri: str,
    run_id: str,
    bundle: Path,
    *,
    example: Sequence[dict[str, str]],
    requirements: Sequence[str],
    name: str | None,
) -> tuple[str, str | None]:
    """Log a bundle as a pyfunc model of a run.

    Args:
        uri: MLflow tracking URI.
        run_id: Run that the model belongs to.
        bundle: Its folder.
        example: Turns, with what the model makes of them kept beside it.
        requirements: Pinned packages.
        name: Name to register it under; None registers nothing.

    Returns:
        The model's URI, and its registered version where it has one.
    """
    import pandas as pd

    from fmerl_platform.ledger.models.signature import signature_of

    with tracked_by(uri), _registered(name), mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={BUNDLE: str(bundle)},
            signature=signature_of(read_bundle(bundle)),
            input_example=pd.DataFrame(example),
            pip_requirements=list(requirements),
            registered_model_name=name,
        )
    return logged.model_uri, None if logged.registered_model_version is None else str(logged.registered_model_version)


def check_registrable(uri: str, name: str, alias: str | None) -> None:
    """Refuse a name or an alias that MLflow's registry does not take; nothing is registered.

    Raises:
        InputError: It is one of them.
    """
    with tracked_by(uri):
        client = MlflowClient()
        with _registered(name), _absent():
            client.get_registered_model(name)
        if alias is not None:
            with _registered(alias), _absent():
                client.get_model_version_by_alias(name, alias)


def set_alias(uri: str, name: str, alias: str, version: str) -> None:
    """Let an alias, such as champion, name a version of a registered model."""
    with tracked_by(uri), _registered(alias):
        MlflowClient().set_registered_model_alias(name, alias, version)


@contextmanager
def _absent() -> Iterator[None]:
    """Let a model or a version be unknown."""
    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise


@contextmanager
def _registered(name: str | None) -> Iterator[None]:
    """Turn what MLflow says against a name into one line."""
    try:
        yield
    except MlflowException as error:
        if name is None:
            raise
        raise InputError(f"--register, --alias {name}", str(error).splitlines()[0], "choose another name") from error


@contextmanager
def tracked_by(uri: str) -> Iterator[None]:
    """MLflow's global tracking URI, which also is the registry's unless `MLFLOW_REGISTRY_URI` names one, for the calls
    that read it; the caller's comes back.
    """
    before, given = mlflow.get_tracking_uri(), os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        with warnings.catch_warnings():
            # The signature says more of the input than a type hint could.
            warnings.filterwarnings("ignore", ".*Add type hints")
            yield
    finally:
        mlflow.set_tracking_uri(before)
        # set_tracking_uri changes the environment too, which decides where the next study is kept.
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        if given is not None:
            os.environ["MLFLOW_TRACKING_URI"] = given
