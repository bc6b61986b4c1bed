"""MLflow: one experiment per study; runs study -> variant -> seed, found by tag or created, never doubled."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from fmerl.errors import InputError
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.ledger.server import tracking_server
from fmerl_platform.ledger.store import client_of, database, one_at_a_time, storage_uri
from fmerl_platform.study.cells import Cell, cell_name

_BATCH = 1000
"""Most metrics MLflow takes in one call."""
_LONGEST_PARAM = 6000


class Planned(Protocol):
    """Identity of a seed run: the result of a variant on a corpus with a seed."""

    @property
    def corpus(self) -> str: ...

    @property
    def variant(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def fold(self) -> str | None: ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the result."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """MLflow experiment of a study's runs; small enough to send to every worker."""

    uri: str
    experiment_id: str
    study: str

    @classmethod
    def in_storage(cls, storage: Path, study: str) -> Experiment:
        """The study's experiment on the server of `MLFLOW_TRACKING_URI`, or in SQLite and files in `storage`."""
        server = tracking_server()
        # A tracking server chooses its own place for artifacts.
        return cls.open(server or database(storage), study, None if server else storage / "artifacts")

    @classmethod
    def existing(cls, storage: Path, study: str) -> Experiment:
        """The experiment of `in_storage`, which must exist.

        Raises:
            InputError: There is no such study.
        """
        uri = storage_uri(storage)
        known = {found.name for found in client_of(uri).search_experiments()}
        if study not in known:
            where = storage / "mlflow.db" if uri == database(storage) else uri
            raise InputError(where, f"no study {study!r}", f"name one of {', '.join(sorted(known))}")
        return cls.open(uri, study, None)

    @classmethod
    def open(cls, uri: str, study: str, artifacts: Path | None) -> Experiment:
        """The study's experiment, created when it is new.

        Args:
            uri: MLflow tracking URI.
            study: The experiment's name.
            artifacts: Folder for artifacts of a new experiment; None leaves it to the tracking server.

        Raises:
            InputError: The database or server refuses.
        """
        location = None if artifacts is None else (artifacts / study).resolve().as_uri()
        try:
            with one_at_a_time(uri):
                client = client_of(uri)
                found = client.get_experiment_by_name(study)
                if found is not None and found.lifecycle_stage == "deleted":
                    client.restore_experiment(found.experiment_id)
                known = found.experiment_id if found else client.create_experiment(study, artifact_location=location)
        except InputError:
            raise
        except Exception as error:  # MLflow's, its database's, the network's
            what = str(error).partition("\n")[0]
            raise InputError(uri, what, "check that it can be written, or that MLFLOW_TRACKING_URI is right") from error
        return cls(uri=uri, experiment_id=known, study=study)

    def sibling(self, study: str) -> Experiment:
        """Another study on the same server.

        Raises:
            InputError: There is none of this name.
        """
        found = self.client().get_experiment_by_name(study)
        if found is None or found.lifecycle_stage == "deleted":
            raise InputError(f"study {study}", f"there is none in {self.uri}", "run it first, or leave it out")
        return Experiment(uri=self.uri, experiment_id=found.experiment_id, study=study)

    def client(self) -> MlflowClient:
        return client_of(self.uri)

    def find(self, *, status: str | None = None, **tags: str) -> list[Run]:
        """Active runs of this study that carry all these `fmerl.*` tags, oldest first; of one status if it is given."""
        terms = [f"tags.`fmerl.{key}` = '{_quoted(value)}'" for key, value in tags.items()]
        text = " and ".join([*terms, *([f"attributes.status = '{status}'"] if status else [])])
        # A database would go through all runs once more for the study's name.
        return [run for run in self._search([self.experiment_id], text) if run.data.tags.get(Tag.STUDY) == self.study]

    def runs_of(self, fingerprint: str) -> list[Run]:
        """Runs of a cell since this study's last command began, in a time that does not grow with the study."""
        return self._search([self.experiment_id], f"tags.`{Tag.CELL}{fingerprint}` = 'true'")

    def finished_elsewhere(self) -> dict[str, Run]:
        """Finished seed runs of all other studies on the server, by fingerprint; of several the newest."""
        known = (found.experiment_id for found in self.client().search_experiments())
        others = [experiment_id for experiment_id in known if experiment_id != self.experiment_id]
        runs = self._search(others, "tags.`fmerl.level` = 'seed' and attributes.status = 'FINISHED'") if others else []
        return {run.data.tags[Tag.FINGERPRINT]: run for run in runs}

    def _search(self, experiments: list[str], text: str) -> list[Run]:
        runs: list[Run] = []
        client, token = self.client(), None
        while True:
            page = client.search_runs(experiments, text, order_by=["start_time ASC"], page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs

    def find_or_create(self, name: str, parent: str | None, note: str | None = None, **tags: str) -> str:
        """Id of the run with these tags: the study's own or a variant's."""
        found = self.find(**tags)
        if found:
            run_id = found[0].info.run_id
            self.client().update_run(run_id, status="RUNNING")
            return run_id
        return self.create(name, parent, note, tags)

    def create(self, name: str, parent: str | None, note: str | None, tags: Mapping[str, str]) -> str:
        """Id of a new run with these `fmerl.*` tags."""
        own = {f"fmerl.{key}": value for key, value in {"study": self.study, **tags}.items()}
        index = {Tag.CELL + tags["fingerprint"]: "true"} if "fingerprint" in tags else {}
        links = {Tag.PARENT: parent, Tag.NOTE: note, **index}
        given = {key: value for key, value in links.items() if value is not None}
        return self.client().create_run(self.experiment_id, run_name=name, tags={**own, **given}).info.run_id

    def begin_cell(self, cell: Cell, parent: str) -> CellRun | None:
        """A fresh run for the cell; None when it is finished already. A half-done one is deleted first."""
        note = f"Trained again and compared by `fmerl report --study {self.study} --reproduce {cell.fingerprint[:12]}`."
        return self.begin(cell, parent, cell.config.flatten(), note, cell.config.training.unseen_classes)

    def begin(
        self, planned: Planned, parent: str, params: Mapping[str, Any], note: str, unseen: Sequence[str]
    ) -> CellRun | None:
        """A fresh seed run; None when there is a finished one. A half-done one is deleted first.

        Args:
            planned: Cell that the run is for.
            parent: Id of the variant's run.
            params: All settings by name.
            note: Description in Markdown.
            unseen: Classes that are held out.
        """
        if self.discard_unfinished(planned.fingerprint):
            return None
        tags = {
            "level": "seed",
            "corpus": planned.corpus,
            "variant": planned.variant,
            "seed": str(planned.seed),
            "fingerprint": planned.fingerprint,
        }
        if planned.fold is not None:
            tags["fold"] = planned.fold
        if unseen:
            tags["unseen"] = ",".join(unseen)
        name = cell_name(planned.corpus, planned.variant, planned.seed, planned.fold)
        run_id = self.create(name, parent, note, tags)
        self.set_params(run_id, params)
        return CellRun(self.client(), run_id)

    def discard_unfinished(self, fingerprint: str) -> bool:
        """Delete unfinished runs, so that no metric stands twice; True if there is a finished one.

        A worker that outlived its killed driver cannot write to a deleted run.
        """
        finished = False
        for run in self.runs_of(fingerprint):
            if run.info.status == "FINISHED":
                finished = True
            else:
                self.client().delete_run(run.info.run_id)
        return finished

    def log_once(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Log aggregates that are not logged yet, so that a rerun adds no point twice."""
        known = self.client().get_run(run_id).data.metrics
        now = _now()
        new = [Metric(key, value, now, step) for key, value in metrics.items() if known.get(key) != value]
        self.client().log_batch(run_id, metrics=new)

    def log_history(self, run_id: str, name: str, values: Mapping[int, float], milliseconds: int) -> None:
        """Log a metric's values by step, all with one timestamp."""
        metrics = [Metric(name, value, milliseconds, step) for step, value in sorted(values.items())]
        self.client().log_batch(run_id, metrics=metrics)

    def set_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Set params that a run does not have yet; values too long for MLflow are cut."""
        values = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in params.items()]
        self.client().log_batch(run_id, params=values)

    def withdraw(self, run: Run) -> None:
        """Withdraw aggregates and verdict: MLflow deletes no metric, so each becomes NaN until it is logged again."""
        now = _now()
        stale = [Metric(key, math.nan, now, 0) for key, value in run.data.metrics.items() if not math.isnan(value)]
        self.client().log_batch(run.info.run_id, metrics=stale)
        self.untag(run, Tag.VERDICT)

    def untag(self, run: Run, tag: str) -> None:
        if tag in run.data.tags:
            self.client().delete_tag(run.info.run_id, tag)

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        self.client().log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def read_text(self, run_id: str, name: str) -> str | None:
        """A text artifact at the top of a run's artifacts; None when there is none of this name."""
        client = self.client()
        if name not in {file.path for file in client.list_artifacts(run_id)}:
            return None
        with tempfile.TemporaryDirectory() as folder:
            return Path(client.download_artifacts(run_id, name, folder)).read_text(encoding="utf-8")


class CellRun:
    """One cell's run, written by the worker that trains it.

    Epochs are sent together every `flush_seconds`: a short cell costs one call, a long one can be watched.
    """

    def __init__(self, client: MlflowClient, run_id: str, flush_seconds: float = 15.0) -> None:
        self.run_id = run_id
        self._client, self._flush_seconds = client, flush_seconds
        self._pending: list[Metric] = []
        self._flushed = time.monotonic()

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        now = _now()
        self._pending += [Metric(key, value, now, epoch) for key, value in metrics.items()]
        if time.monotonic() - self._flushed > self._flush_seconds:
            self._flush()

    def finish(self, metrics: Mapping[str, float], epoch: int, artifacts: list[Path]) -> None:
        """Log all that the cell leaves; only then is it FINISHED, and so never trained again."""
        now = _now()
        self.finish_as([Metric(key, value, now, epoch) for key, value in metrics.items()], artifacts)

    def finish_as(self, metrics: Sequence[Metric], artifacts: Sequence[Path]) -> None:
        """Finish with metrics of any step."""
        for path in artifacts:
            self._client.log_artifact(self.run_id, str(path))
        self._pending += metrics
        self._flush()
        self._client.set_terminated(self.run_id, "FINISHED")

    def fail(self, error: BaseException) -> None:
        self._flush()
        self._client.set_tag(self.run_id, Tag.ERROR, f"{type(error).__name__}: {error}"[:5000])
        self._client.set_terminated(self.run_id, "FAILED")

    def _flush(self) -> None:
        for start in range(0, len(self._pending), _BATCH):
            self._client.log_batch(self.run_id, metrics=self._pending[start : start + _BATCH])
        self._pending, self._flushed = [], time.monotonic()


def _now() -> int:
    return int(time.time() * 1000)


def _quoted(value: str) -> str:
    if "'" in value:
        raise ValueError(f"MLflow's filters cannot hold a quote: {value}")
    return value
