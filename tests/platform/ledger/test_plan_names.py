"""Names are the plan's, numbers are the fingerprint's: nothing is trained again for a name or for another study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run

from fmerl.errors import InputError
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.runs import read_study
from fmerl_platform.ledger.schema import STUDY_FILE
from fmerl_platform.report import render
from fmerl_platform.report.document import Report, ReportPaths
from fmerl_platform.running import grid
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, VariantRow
from fmerl_platform.studies.reproduce import reproduce
from fmerl_platform.studies.results import open_study
from fmerl_platform.studies.run import run_study
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.study import Study
from fmerl_platform.study.variant import Variant

CONTROL, SLOW, QUICK = "control", "slow", "quick"
RATES = {CONTROL: 0.01, SLOW: 1e-5, QUICK: 0.002}
"""Learning rates, far enough apart that a few epochs of a small corpus tell them from each other."""
CORPUS, SEEDS = "synthetic-meld", (0, 1)

Plan = dict[str, str]
"""The name that a plan gives to each of `RATES`, in its order."""
AS_TRAINED: Plan = {name: name for name in (CONTROL, SLOW, QUICK)}
SWAPPED: Plan = {CONTROL: CONTROL, SLOW: QUICK, QUICK: SLOW}


@dataclass(frozen=True)
class Numbers:
    """A row without its name."""

    weighted_f1: float
    delta: float | None
    p_value_holm: float | None

    @classmethod
    def of(cls, row: VariantRow) -> Numbers:
        against = row.comparison
        return cls(row.weighted_f1.mean, against and against.delta, against and against.p_value_holm)


@dataclass(frozen=True)
class Trained:
    """A study whose cells are all finished."""

    study: Study
    storage: Path
    numbers: dict[str, Numbers]
    """By name in `RATES`."""
    seed_runs: dict[str, str]
    """Of each fingerprint."""

    def run(self, plan: Plan, **changes: Any) -> CorpusAnalysis:
        return run(replace(self.study, variants=named(plan), **changes), self.storage)


def named(plan: Plan) -> tuple[Variant, ...]:
    return tuple(variant(name, RATES[key]) for key, name in plan.items())


def variant(name: str, rate: float) -> Variant:
    return Variant(
        name=name,
        change=lambda config: config.changed(training__learning_rate=rate),
        declares=("training.learning_rate",),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, local_ray: None, tracking_uri: str) -> Trained:
    storage = tmp_path_factory.mktemp("names")
    inputs = InputOptions(scale=0.05, epochs=3)
    study = Study("names", corpora=(CORPUS,), variants=named(AS_TRAINED), seeds=SEEDS, inputs=inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
        analysis = run(study, storage)
    numbers = {row.variant: Numbers.of(row) for row in analysis.rows}
    assert len({row.weighted_f1 for row in numbers.values()}) == 3, "variants that score alike would show nothing"
    seeds = Experiment.open(tracking_uri, "names", None).find(level="seed")
    return Trained(study, storage, numbers, {run.data.tags["fmerl.fingerprint"]: run.info.run_id for run in seeds})


@pytest.fixture
def experiment(trained: Trained, tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """Of the study, in which nothing can be trained any more; its report, which takes seconds, is drawn once."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    monkeypatch.setattr(grid, "run_grid", lambda cells, *rest, **more: pytest.fail(f"{len(cells)} cells trained"))

    def draw_nothing(report: Report, folder: Path) -> ReportPaths:
        folder.mkdir(parents=True, exist_ok=True)
        html, markdown, latex = (folder / name for name in ("html", "md", "tex"))
        return ReportPaths(html=html, markdown=markdown, latex=latex, rows=None, figures=())

    monkeypatch.setattr(render, "write_report", draw_nothing)
    return Experiment.open(tracking_uri, "names", None)


def run(study: Study, storage: Path) -> CorpusAnalysis:
    found = run_study(study, storage=storage)
    assert found.complete
    analysis: CorpusAnalysis = found.analysis[0]
    return analysis


def reported(storage: Path, folder: Path) -> CorpusAnalysis:
    """The analysis that a report is made from."""
    study = open_study("names", storage)
    study.publish(folder)
    analysis: CorpusAnalysis = study.analysis[0]
    return analysis


def in_view(experiment: Experiment) -> dict[str, Run]:
    """Runs that MLflow's comparison shows, by variant."""
    return {run.data.tags["fmerl.variant"]: run for run in experiment.find(level="variant", planned="true")}


def assert_follows(experiment: Experiment, trained: Trained, plan: Plan, rows: Sequence[VariantRow]) -> None:
    """Rows, tags and metrics all show each configuration's numbers under the plan's names; Holm's p among them."""
    assert [row.variant for row in rows] == list(plan.values())
    assert {row.variant: Numbers.of(row) for row in rows} == {plan[key]: trained.numbers[key] for key in plan}
    shown = in_view(experiment)
    assert set(shown) == set(plan.values())
    for row in rows:
        tags, metrics = shown[row.variant].data.tags, shown[row.variant].data.metrics
        assert tags["mlflow.runName"] == f"{CORPUS} · {row.variant}"
        assert tags["fmerl.verdict"] == (row.comparison.verdict if row.comparison else "control")
        assert metrics["test_weighted_f1_mean"] == row.weighted_f1.mean
        if row.comparison:
            assert metrics["delta_weighted_f1"] == row.comparison.delta
            assert metrics["p_value_holm"] == row.comparison.p_value_holm
    assert {run.info.run_id for run in experiment.find(level="seed")} == set(trained.seed_runs.values())
    for cell in read_study(experiment)[0].cells:
        seed_run = experiment.client().get_run(trained.seed_runs[cell.fingerprint])
        assert seed_run.info.run_name == f"{CORPUS} · {cell.variant} · seed {cell.seed}"
        tags = seed_run.data.tags
        assert (tags["fmerl.variant"], tags["fmerl.seed"]) == (cell.variant, str(cell.seed))
        assert tags["mlflow.parentRunId"] == shown[cell.variant].info.run_id
        assert "fmerl.superseded" not in tags


PLANS = {
    "swapped": SWAPPED,
    "control renamed": {CONTROL: "ours", SLOW: SLOW, QUICK: QUICK},
    "one renamed": {CONTROL: CONTROL, SLOW: "frozen", QUICK: QUICK},
    "reordered": {CONTROL: CONTROL, QUICK: QUICK, SLOW: SLOW},
    "all exchanged": {CONTROL: SLOW, SLOW: QUICK, QUICK: CONTROL},
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_rerun_and_a_report_show_numbers_under_the_plans_names(
    plan: Plan, trained: Trained, experiment: Experiment, tmp_path: Path
) -> None:
    assert_follows(experiment, trained, plan, trained.run(plan).rows)
    assert_follows(experiment, trained, plan, reported(trained.storage, tmp_path).rows)
    assert len(experiment.find(level="variant")) == 3, "a run without cells is deleted"


def test_a_report_follows_a_plan_whose_command_got_no_further(
    trained: Trained, experiment: Experiment, tmp_path: Path
) -> None:
    trained.run(SWAPPED)
    record, runs = read_study(experiment)
    trained.run(AS_TRAINED)
    experiment.client().log_text(runs.study, record.json(), STUDY_FILE)
    assert_follows(experiment, trained, SWAPPED, reported(trained.storage, tmp_path).rows)


def test_a_cell_is_trained_again_under_its_new_name_alone(trained: Trained, experiment: Experiment) -> None:
    trained.run({CONTROL: CONTROL, SLOW: "frozen", QUICK: SLOW})
    record, _ = read_study(experiment)
    again = reproduce(experiment, record, f"{CORPUS}/{SLOW}/1", trained.storage)
    assert (again.cell.variant, again.cell.seed) == (SLOW, 1)
    assert again.identical
    with pytest.raises(InputError, match="no such cell"):
        reproduce(experiment, record, f"{CORPUS}/{QUICK}/1", trained.storage)


def test_seeds_that_a_plan_leaves_out_keep_their_variant(trained: Trained, experiment: Experiment) -> None:
    trained.run(AS_TRAINED)
    trained.run(SWAPPED, seeds=(0,))
    shown = in_view(experiment)
    for seed_run in experiment.find(level="seed", seed="1"):
        tags = seed_run.data.tags
        [sibling] = experiment.find(level="seed", seed="0", variant=tags["fmerl.variant"])
        assert sibling.data.params == seed_run.data.params
        assert tags["mlflow.parentRunId"] == shown[tags["fmerl.variant"]].info.run_id


def test_a_variant_that_a_plan_leaves_out_is_kept_out_of_the_view(trained: Trained, experiment: Experiment) -> None:
    trained.run(AS_TRAINED)
    trained.run({CONTROL: CONTROL, QUICK: QUICK})
    assert set(in_view(experiment)) == {CONTROL, QUICK}
    [left_out] = experiment.find(level="variant", variant=SLOW)
    assert "fmerl.verdict" not in left_out.data.tags
    assert len(experiment.find(level="seed", variant=SLOW)) == len(SEEDS)
    view = experiment.client().get_experiment(experiment.experiment_id).tags["mlflow.sharedViewState.variants"]
    assert "tags.fmerl.planned = 'true'" in view
    assert_follows(experiment, trained, AS_TRAINED, trained.run(AS_TRAINED).rows)


def test_a_variant_that_becomes_the_control_keeps_no_difference(trained: Trained, experiment: Experiment) -> None:
    rows = trained.run({SLOW: SLOW, CONTROL: CONTROL}).rows
    assert rows[1].comparison is not None
    assert rows[1].comparison.delta == -(trained.numbers[SLOW].delta or 0)
    shown = in_view(experiment)[SLOW].data
    assert shown.tags["fmerl.verdict"] == "control"
    against = [value for name, value in shown.metrics.items() if name.startswith(("delta", "p_value"))]
    assert against
    assert all(map(math.isnan, against))


def test_another_study_reuses_what_is_finished(trained: Trained, experiment: Experiment, tracking_uri: str) -> None:
    plan = {CONTROL: "ours", SLOW: QUICK, QUICK: SLOW}
    rows = trained.run(plan, name="names again").rows
    assert {row.variant: Numbers.of(row) for row in rows} == {plan[key]: trained.numbers[key] for key in plan}
    other, client = Experiment.open(tracking_uri, "names again", None), experiment.client()
    seed_runs = other.find(level="seed")
    assert len(seed_runs) == len(trained.seed_runs)
    parents = {name: run.info.run_id for name, run in in_view(other).items()}
    for copy in seed_runs:
        tags = copy.data.tags
        source = client.get_run(tags["fmerl.reused_from"])
        assert source.info.run_id == trained.seed_runs[tags["fmerl.fingerprint"]]
        assert tags["fmerl.study"] == "names again"
        assert tags["mlflow.parentRunId"] == parents[tags["fmerl.variant"]]
        assert copy.info.status == "FINISHED"
        assert (copy.data.params, copy.data.metrics) == (source.data.params, source.data.metrics)
        before, after = (client.get_metric_history(run.info.run_id, "train_loss") for run in (source, copy))
        assert [(point.step, point.value) for point in after] == [(point.step, point.value) for point in before]
        left = [{file.path for file in client.list_artifacts(run.info.run_id)} for run in (source, copy)]
        assert left[0] == left[1]
    trained.run(plan, name="names again")
    assert {run.info.run_id for run in other.find(level="seed")} == {run.info.run_id for run in seed_runs}
