"""Samplers by name."""

from __future__ import annotations

import sys
from types import ModuleType

import optuna
import pytest

from fmerl.errors import InputError
from fmerl_platform.studies.search.samplers import create_sampler

KINDS = {
    "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler,
    "random": optuna.samplers.RandomSampler,
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optunas_samplers_propose_the_same_from_the_same_seed(name: str) -> None:
    def proposed() -> list[dict[str, float]]:
        study = optuna.create_study(direction="maximize", sampler=create_sampler(name, 3))
        study.optimize(lambda trial: -((trial.suggest_float("x", -1, 1) - 0.3) ** 2), n_trials=4)
        return [trial.params for trial in study.trials]

    assert isinstance(create_sampler(name, 0), KINDS[name])
    assert proposed() == proposed()


class Hub(ModuleType):
    """OptunaHub with one package."""

    def __init__(self, package: ModuleType) -> None:
        super().__init__("optunahub")
        self._package = package

    def load_module(self, package: str) -> ModuleType:
        if package != "samplers/mine":
            raise FileNotFoundError(f"no {package}\nanywhere")
        return self._package


class Mine(optuna.samplers.RandomSampler):
    """A sampler that someone published."""


def test_a_sampler_of_optunahub_is_the_one_that_its_package_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("mine")
    vars(package).update(Mine=Mine, RandomSampler=optuna.samplers.RandomSampler)
    monkeypatch.setitem(sys.modules, "optunahub", Hub(package))
    assert isinstance(create_sampler("mine", 0), Mine)
    with pytest.raises(InputError, match="--sampler other: FileNotFoundError: no samplers/other anywhere"):
        create_sampler("other", 0)
    del package.Mine
    with pytest.raises(InputError, match="defines no sampler"):
        create_sampler("mine", 0)


@pytest.mark.parametrize(("name", "module"), [("cmaes", "cmaes"), ("mine", "optunahub")])
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"{module}: cannot be imported.*fmerl\[search\]"):
        create_sampler(name, 0)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optunas_samplers_know_several_objectives(name: str) -> None:
    study = optuna.create_study(directions=["maximize"] * 2, sampler=create_sampler(name, 0))

    def objectives(trial: optuna.Trial) -> tuple[float, float]:
        x = trial.suggest_float("x", -1, 1)
        return x, -x

    study.optimize(objectives, n_trials=12)
    assert len(study.best_trials) > 1
