"""Samplers of a search, Optuna's own and OptunaHub's, by name."""

from __future__ import annotations

import inspect
from types import ModuleType

import optuna
from optuna.samplers import BaseSampler

from fmerl.errors import InputError
from fmerl.extras import optional_module

STARTUP_TRIALS = 10
"""Trials drawn at random before a sampler learns from them, TPE's own default."""
SAMPLERS = ("tpe", "gp", "cmaes", "random")
"""Samplers of Optuna; another name is one of OptunaHub's."""


def create_sampler(name: str, seed: int) -> BaseSampler:
    """A sampler by name.

    Args:
        name: One of `SAMPLERS`, or a package below `samplers/` of OptunaHub, which is downloaded and run as Python.
        seed: Seed of its draws, where it takes one.

    Raises:
        InputError: A package that is not installed, or no such sampler.
    """
    match name:
        case "tpe":
            return optuna.samplers.TPESampler(
                multivariate=True, constant_liar=True, n_startup_trials=STARTUP_TRIALS, seed=seed
            )
        case "gp":
            return optuna.samplers.GPSampler(n_startup_trials=STARTUP_TRIALS, seed=seed)
        case "cmaes":
            optional_module("cmaes", "search")
            return optuna.samplers.CmaEsSampler(n_startup_trials=STARTUP_TRIALS, seed=seed)
        case "random":
            return optuna.samplers.RandomSampler(seed=seed)
    hub = optional_module("optunahub", "search")
    remedy = f"give one of {', '.join(SAMPLERS)}, or a package below samplers/ of OptunaHub"
    try:
        module = hub.load_module(f"samplers/{name}")
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"--sampler {name}", text, remedy) from error
    kind = _sampler_class(module)
    if kind is None:
        raise InputError(f"--sampler {name}", "the package defines no sampler, or several", remedy)
    options = {"seed": seed} if "seed" in inspect.signature(kind).parameters else {}
    return kind(**options)


def _sampler_class(module: ModuleType) -> type[BaseSampler] | None:
    """The one sampler that a package exports."""
    exported = [getattr(module, name) for name in getattr(module, "__all__", dir(module))]
    found = {
        kind
        for kind in exported
        if inspect.isclass(kind) and issubclass(kind, BaseSampler) and not kind.__module__.startswith("optuna.")
    }
    return found.pop() if len(found) == 1 else None
