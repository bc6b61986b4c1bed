"""What `import fmerl` and `import fmerl_platform` offer."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

import fmerl
import fmerl_platform
from fmerl_platform import PAPER, InputError, InputOptions, Study, StudyResults, open_study, run_study


@pytest.mark.parametrize("module", [fmerl, fmerl_platform], ids=lambda module: module.__name__)
def test_every_name_is_there_and_the_docstring_runs(module: ModuleType) -> None:
    for name in module.__all__:
        assert getattr(module, name) is not None
    tried = doctest.testmod(module)
    assert tried.attempted
    assert not tried.failed
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        module.nothing  # noqa: B018


@pytest.mark.parametrize("module", ["fmerl", "fmerl.config", "fmerl_platform", "fmerl_platform.study.study"])
def test_an_import_starts_nothing_heavy(module: str) -> None:
    heavy = {"torch", "ray", "mlflow", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib", "transformers"}
    code = f"import sys, {module}; print(*({heavy!r} & set(sys.modules)))"
    paths = ":".join(sys.path)
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": paths}, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_the_method_names_no_script_and_no_command_line() -> None:
    for path in Path(fmerl.__file__).parent.rglob("*.py"):
        assert "experiments/" not in path.read_text(encoding="utf-8"), path


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, local_ray: None) -> StudyResults:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        study = Study(
            "front door",
            corpora=["synthetic-meld"],
            variants=[PAPER[0], PAPER[5]],
            seeds=range(2),
            inputs=InputOptions(scale=0.04, epochs=1),
        )
        return run_study(study, storage=tmp_path_factory.mktemp("runs"))


def test_results_are_a_table_predictions_and_a_report(results: StudyResults, tmp_path: Path) -> None:
    frame = results.frame()
    assert frame["variant"].tolist() == ["FMERL", "w/o Valence"]
    assert frame["verdict"].tolist()[0] == "control"
    assert frame["delta_weighted_f1"].notna().tolist() == [False, True]
    html = results._repr_html_()
    assert "<table>" in html
    assert "w/o Valence" in html
    rows = results["w/o Valence"].predictions(seed=1)
    assert isinstance(rows, pd.DataFrame)
    assert set(rows["split"]) == {"validation", "test"}
    assert results.report().save(tmp_path).html.read_text(encoding="utf-8").count("<svg") > 3
    with pytest.raises(KeyError, match="none of FMERL, w/o Valence"):
        results["w/o Joy"]
    with pytest.raises(KeyError, match="0 finished cells"):
        results["FMERL"].predictions(seed=9)


def test_a_study_is_opened_again_from_mlflow_alone(results: StudyResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    storage = results.folder.parent.parent
    again = open_study("front door", storage=storage)
    pd.testing.assert_frame_equal(again.frame(), results.frame())
    with pytest.raises(InputError, match="no study 'another'"):
        open_study("another", storage=storage)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "meld/v2", "it's v1", "x" * 101, "a:b", " a", "a."])
def test_a_name_that_cannot_be_a_folder_is_refused_at_once(name: str) -> None:
    with pytest.raises(InputError, match="choose another name"):
        Study(name)


def test_a_finished_study_is_not_judged_again(results: StudyResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    storage = results.folder.parent.parent
    again = open_study("front door", storage=storage)
    monkeypatch.setattr(type(again), "corpora", property(lambda self: pytest.fail("cells were read")))
    assert again.published == results.published
    results.published.paths.latex.unlink()
    with pytest.raises(pytest.fail.Exception, match="cells were read"):
        open_study("front door", storage=storage).publish(results.folder)
