"""Transfer that was planted is found, and none where there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from fmerl.bundle.cell import write_cell_bundle
from fmerl.bundle.folder import read_bundle
from fmerl.bundle.model import Bundle
from fmerl.card import read_card
from fmerl.config import DIMENSIONS
from fmerl.corpus import read_corpus
from fmerl.errors import InputError
from fmerl.features.store import read_features, write_features
from fmerl.training.cell import train_cell
from fmerl_platform.across.report import matrix, pair_table
from fmerl_platform.across.request import AcrossPlan, plan_across
from fmerl_platform.across.transfer import Pair, complete_seeds, transfers
from fmerl_platform.study.study import Study

MakeStudy = Callable[..., Study]
CPU = torch.device("cpu")
Trained = tuple[AcrossPlan, dict[str, dict[int, Bundle]]]


@pytest.fixture(scope="module")
def trained(make_study: MakeStudy, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Models of every corpus, with anger compared under one name."""
    folder = tmp_path_factory.mktemp("across")
    plan = plan_across(make_study(), ["other:anger=angry"], folder)
    models: dict[str, dict[int, Bundle]] = {}
    for cell in plan.plan.cells:
        inputs = plan.inputs(cell.corpus)
        result = train_cell(cell.config, inputs.data, inputs.anchors[cell.config.anchors], cell.seed, device=CPU)
        write_cell_bundle(folder / cell.fingerprint, result, **cell.facts(inputs))
        models.setdefault(cell.corpus, {})[cell.seed] = read_bundle(folder / cell.fingerprint)
    return plan, models


@pytest.fixture(scope="module")
def pairs(trained: Trained) -> dict[tuple[str, str], Pair]:
    return {(pair.train, pair.test): pair for pair in transfers(*trained)}


def test_transfer_is_found_where_the_encoder_is_the_same(pairs: dict[tuple[str, str], Pair]) -> None:
    for key in (("one", "other"), ("other", "one")):
        chance = pairs[key].chance
        assert chance is not None
        assert chance.verdict == "helps"
        assert chance.delta > 0.3
        assert min(pairs[key].ccc[name] for name in DIMENSIONS) > 0.3, "on another scale"


def test_none_is_found_where_the_encoder_is_another(pairs: dict[tuple[str, str], Pair]) -> None:
    for key in (("one", "strange"), ("strange", "one")):
        chance, within = pairs[key].chance, pairs[key].within
        assert chance is not None
        assert within is not None
        assert chance.delta < 0.1
        assert within.verdict == "hurts"


def test_classes_meet_by_their_compared_names(pairs: dict[tuple[str, str], Pair]) -> None:
    assert set(pairs["one", "other"].classes) == {"happy", "sad", "neutral", "angry", "excited"}
    assert set(pairs["one", "one"].classes) == {"happy", "sad", "neutral", "angry", "excited", "frustrated"}
    assert pairs["one", "one"].chance is None


def test_a_score_is_of_the_classes_that_meet(trained: Trained, pairs: dict[tuple[str, str], Pair]) -> None:
    """By hand: other's labelled test utterances, one's models without frustration."""
    plan, models = trained
    data = plan.inputs("other").data.subset("test")
    rows = np.flatnonzero(data.label >= 0)
    gold = [{"anger": "angry"}.get(data.classes[label], data.classes[label]) for label in data.label[rows]]
    scores = []
    for bundle in models["one"].values():
        kept = [index for index, name in enumerate(bundle.classes) if name != "frustrated"]
        likeliest = bundle.predict(data, CPU).scores[0][rows][:, kept].argmax(axis=1)
        scores.append(f1_score(gold, [bundle.classes[kept[index]] for index in likeliest], average="weighted"))
    found = pairs["one", "other"]
    assert found.weighted_f1 is not None
    assert found.weighted_f1.mean == pytest.approx(np.mean(scores))
    assert found.utterances == len(rows)


def test_the_matrix_has_a_row_per_trained_corpus(trained: Trained, pairs: dict[tuple[str, str], Pair]) -> None:
    table = matrix(trained[0], list(pairs.values()))
    assert [row[0] for row in table.rows] == ["one", "other", "strange"]
    assert table.rows[0][2].endswith("*")
    assert "*" not in table.rows[0][1] + table.rows[0][3]
    assert len(pair_table(list(pairs.values())).rows) == 6


def test_where_classes_do_not_meet_scores_are_compared_alone(
    trained: Trained, make_study: MakeStudy, tmp_path: Path
) -> None:
    plan = plan_across(make_study(("one", "apart"), seeds=(0,)), [], tmp_path)
    assert any("0 classes meet (none); valence" in line for line in plan.describe())
    models = {"one": trained[1]["one"], "apart": {}}
    found = {(pair.train, pair.test): pair for pair in transfers(plan, models)}
    pair = found["one", "apart"]
    assert (pair.classes, pair.weighted_f1, pair.chance) == ((), None, None)
    assert pair.pearson["valence"] > 0.3
    assert found["apart", "one"].ccc == {}
    assert complete_seeds(models, (0, 1, 2)) == ["apart: no model of seeds 0, 1, 2"]


def test_features_of_another_encoder_are_refused_by_name(make_study: MakeStudy, planted: Path, tmp_path: Path) -> None:
    corpus = read_corpus(planted / "other")
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    for name, folder in (("one", "one"), ("other", "other")):
        source = read_corpus(planted / folder)
        ids = [utterance.utterance_id for utterance in source.utterances()]
        table = read_features(planted / "features", name, "text", ids)
        card = read_card(planted / "features" / name / "text")
        recipe = {**card["recipe"], "layer": 2} if name == "other" else card["recipe"]
        write_features(tmp_path, name, replace(table, card={"recipe": recipe, "supervised_on_labels": False}))
    with pytest.raises(InputError, match="text features of one and other: layer is 2 here and 1 in the recipe"):
        plan_across(make_study(("one", "other"), features=tmp_path), [], tmp_path)


@pytest.mark.parametrize(
    ("corpora", "classes", "said"),
    [
        (("one",), [], "give two or more"),
        (("one", "other"), ["angry=anger"], "names none of one, other"),
        (("one", "other"), ["one:anger=angry"], "one has no class anger"),
        (("one", "other"), ["one:angry"], "neither a pair nor"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    make_study: MakeStudy, tmp_path: Path, corpora: tuple[str, ...], classes: list[str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        plan_across(make_study(corpora), classes, tmp_path)


@pytest.mark.slow
def test_the_command_trains_tests_and_reports(
    planted: Path, local_ray: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fmerl_platform.cli.across import across
    from fmerl_platform.cli.main import options_of

    given = ["--corpus", str(planted / "one"), str(planted / "other"), "--features", str(planted / "features")]
    given += ["--seeds", "0", "1", "--epochs", "4", "--set", "hidden=32", "--storage", str(tmp_path)]
    assert across(options=options_of("across", given)) == 0
    first = capsys.readouterr().out
    folder = tmp_path / "reports" / "across" / "across"
    assert {path.name for path in folder.iterdir()} >= {"report.html", "table.md", "table.tex", "results.json"}
    assert "tested on other" in first
    assert across(options=options_of("across", given)) == 0, "and again, without training"
    assert capsys.readouterr().out == first
