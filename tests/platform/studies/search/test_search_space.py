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


def test_whole_numbers_stay_whole_and_the_heads_divide_every_width() -> None:
    control = CellConfig().changed(backbone__hidden=96, backbone__heads=4)
    space = search_space(control, ["hidden", "batch_size", "hidden_layers"])
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(space.values_of(control))
    trials = [study.ask() for _ in range(20)]
    for trial in trials:
        space(trial)
        control.with_values(trial.params)
    assert control.with_values(trials[0].params) == control
    assert len({trial.params["backbone.hidden"] for trial in trials}) > 3
    without = control.changed(regression__dimensions=())
    assert "regression.hidden_layers" not in search_space(without, ["hidden_layers"]).ranges


def test_the_paper_is_a_point_of_the_space() -> None:
    control = CellConfig().changed(contrastive__negative_weight=2.0, regression__arousal_weight=0.1)
    paper = with_paper_weights(control)
    assert paper == CellConfig()
    assert search_space(control, []).values_of(paper)["contrastive.negative_weight"] == 0.5


def test_a_start_outside_is_refused_by_name() -> None:
    control = CellConfig().changed(contrastive__negative_weight=0.0)
    with pytest.raises(InputError, match=r"contrastive.negative_weight: 0.0 is outside"):
        search_space(control, []).values_of(control)
