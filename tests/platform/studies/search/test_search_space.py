"""What is searched, and where from."""

from __future__ import annotations

import optuna
import pytest

from fmerl.config import CellConfig
from fmerl.errors import InputError
from fmerl_platform.studies.search.space import NUMBER, search_space, with_paper_weights


def test_every_weight_of_the_control_is_searched_and_no_other() -> None:
    control = CellConfig().changed(regression__dimensions=("valence",))
    assert set(search_space(control, []).ranges) == {
        "contrastive.negative_weight",
        "contrastive.triple_weight",
        "regression.valence_weight",
    }
    assert set(search_space(control, ["dropout"]).ranges) >= {"backbone.dropout"}


def test_a_trial_gets_every_field_and_its_number() -> None:
    study = optuna.create_study(direction="maximize")
    space = search_space(CellConfig(), ["learning_rate", "temperature"])
    study.ask()
    trial = study.ask()
    assert space(trial) == {NUMBER: 1}
    assert set(trial.params) == set(space.ranges)
    config = CellConfig().with_values(trial.params)
    assert space.values_of(config) == pytest.approx(trial.params)


def test_the_paper_is_a_point_of_the_space() -> None:
    control = CellConfig().changed(contrastive__negative_weight=2.0, regression__arousal_weight=0.1)
    paper = with_paper_weights(control)
    assert paper == CellConfig()
    assert search_space(control, []).values_of(paper)["contrastive.negative_weight"] == 0.5


def test_a_start_outside_is_refused_by_name() -> None:
    control = CellConfig().changed(contrastive__negative_weight=0.0)
    with pytest.raises(InputError, match=r"contrastive.negative_weight: 0.0 is outside"):
        search_space(control, []).values_of(control)
