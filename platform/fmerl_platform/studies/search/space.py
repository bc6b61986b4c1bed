"""Search space: fields of the configuration, their ranges, and where a search starts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import Trial

from fmerl.config import DIMENSIONS, CellConfig, ContrastiveConfig, RegressionConfig
from fmerl.errors import InputError

NEGATIVE, TRIPLE = "contrastive.negative_weight", "contrastive.triple_weight"
OPTIONAL = {
    "learning_rate": "training.learning_rate",
    "dropout": "backbone.dropout",
    "temperature": "contrastive.temperature",
    "hidden": "backbone.hidden",
    "batch_size": "training.batch_size",
    "hidden_layers": "regression.hidden_layers",
}
"""Fields searched on demand, by their short names."""
NUMBER = "trial_number"
"""Key of Optuna's trial number, the trial's identity, in the configuration that Tune gives a worker."""


@dataclass(frozen=True)
class SearchSpace:
    """Ranges by dotted field path."""

    ranges: Mapping[str, FloatDistribution | IntDistribution]

    def __call__(self, trial: Trial) -> dict[str, int]:
        """Ask the sampler for every field; Tune adds them to the dictionary returned."""
        for path, range_ in self.ranges.items():
            if isinstance(range_, IntDistribution):
                trial.suggest_int(path, range_.low, range_.high, step=range_.step, log=range_.log)
            else:
                trial.suggest_float(path, range_.low, range_.high, log=range_.log)
        return {NUMBER: trial.number}

    def values_of(self, config: CellConfig) -> dict[str, float]:
        """Point of this space for a configuration.

        Raises:
            InputError: It lies outside.
        """
        flat = config.flatten()
        for path, range_ in self.ranges.items():
            if not range_.low <= flat[path] <= range_.high:
                what = f"{flat[path]} is outside the search's {range_.low:g} to {range_.high:g}"
                raise InputError(path, what, "start from a configuration inside")
        return {path: flat[path] for path in self.ranges}


def search_space(control: CellConfig, also: Sequence[str]) -> SearchSpace:
    """The loss weights that this control has, on logarithmic scales, and optional fields around its own values.

    Args:
        control: Configuration; a regression net that it lacks has no weight to search, and without any there are no
            layers of theirs.
        also: Keys of `OPTIONAL`.
    """
    ranges: dict[str, FloatDistribution | IntDistribution] = {
        NEGATIVE: FloatDistribution(0.02, 5.0, log=True),
        TRIPLE: FloatDistribution(0.1, 10.0, log=True),
    }
    for dimension in DIMENSIONS:
        if dimension in control.regression.dimensions:
            ranges[f"regression.{dimension}_weight"] = FloatDistribution(0.02, 10.0, log=True)
    rate, batch, hidden = control.training.learning_rate, control.training.batch_size, control.backbone.hidden
    step = math.lcm(control.backbone.heads, 2)  # widths that the heads divide
    optional: dict[str, FloatDistribution | IntDistribution] = {
        "learning_rate": FloatDistribution(rate / 10, rate * 10, log=True),
        "dropout": FloatDistribution(0.0, 0.8),
        "temperature": FloatDistribution(0.02, 1.0, log=True),
        "hidden": IntDistribution(max(step, hidden // 2 // step * step), 2 * hidden, step=step),
        "batch_size": IntDistribution(max(1, batch // 4), 4 * batch, log=True),
        "hidden_layers": IntDistribution(0, 3),
    }
    if not control.regression.dimensions:
        del optional["hidden_layers"]
    return SearchSpace({**ranges, **{OPTIONAL[name]: optional[name] for name in also if name in optional}})


def with_paper_weights(control: CellConfig) -> CellConfig:
    """The control with the paper's loss weights; all other fields stay (section 5: lambda_neg .5, lambda_tri 1)."""
    losses, regression = ContrastiveConfig(), RegressionConfig()
    return control.changed(
        contrastive__negative_weight=losses.negative_weight,
        contrastive__triple_weight=losses.triple_weight,
        **{f"regression__{name}_weight": getattr(regression, f"{name}_weight") for name in DIMENSIONS},
    )
