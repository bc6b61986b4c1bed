"""The layout's promises: no shadowed standard library, a method that knows no engine, importable every way."""

from __future__ import annotations

import ast
import os
import runpy
import subprocess
import sys
import tokenize
import zipfile
from io import StringIO
from pathlib import Path

import pytest
from helpers.repository import EXPERIMENTS, REPOSITORY

PLATFORM = "platform/fmerl_platform"
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def _run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**clean, **environment}, capture_output=True, text=True
    )


def test_platform_is_a_source_root_and_no_package() -> None:
    assert not (REPOSITORY / "platform" / "__init__.py").exists()


@pytest.mark.parametrize("path", ["", ".", ".:platform"])
def test_standard_platform_module_is_never_shadowed(path: str) -> None:
    code = "import platform; assert platform.python_version(); print(platform.__file__)"
    result = _run(code, REPOSITORY, PYTHONPATH=path)
    assert result.returncode == 0, result.stderr
    assert not Path(result.stdout.strip()).is_relative_to(REPOSITORY)


def test_not_installed_project_imports_with_the_runtime_environment_path(tmp_path: Path) -> None:
    blocked = (
        "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in type(f).__name__.lower()];"
        f"sys.path[:] = [p for p in sys.path if not (p.startswith({str(REPOSITORY)!r}) and '.venv' not in p)];"
        f"sys.path[:0] = [{str(REPOSITORY)!r}, {str(REPOSITORY / 'platform')!r}];"
        "import fmerl, fmerl_platform; print(fmerl.__file__, fmerl_platform.__file__)"
    )
    result = _run(blocked, tmp_path)
    assert result.returncode == 0, result.stderr
    assert all(Path(path).is_relative_to(REPOSITORY) for path in result.stdout.split())


def test_the_method_knows_no_engine() -> None:
    forbidden = {"ray", "mlflow", "optuna", "fmerl_platform"}
    for path in (REPOSITORY / "fmerl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not {name.split(".")[0] for name in names} & forbidden, f"{path} imports {names}"


def test_no_module_is_too_long_to_read_at_once() -> None:
    folders = [REPOSITORY / name for name in ("fmerl", "platform", "experiments", "benchmarks")]
    lines = {path: path.read_bytes().count(b"\n") for folder in folders for path in folder.rglob("*.py")}
    assert lines
    assert [path for path, count in lines.items() if count > 300] == []


@pytest.mark.parametrize(
    ("root", "packages"),
    [("fmerl", ("config", "model", "training")), (PLATFORM, ("study", "ledger", "running", "statistics"))],
    ids=["method", "core"],
)
def test_the_method_and_the_core_can_be_read_in_a_sitting(root: str, packages: tuple[str, ...]) -> None:
    """Models in MLflow are no part of the core, which never imports them (a contract of pyproject.toml)."""
    found = [path for package in packages for path in (REPOSITORY / root / package).rglob("*.py")]
    files = [path for path in found if path.parent != REPOSITORY / PLATFORM / "ledger" / "models"]
    assert {path.relative_to(REPOSITORY / root).parts[0] for path in files} == set(packages)
    assert 500 < sum(map(_lines_of_code, files)) <= 3_000


def _lines_of_code(path: Path) -> int:
    """Number of a module's lines that are no docstring, comment or blank."""
    source = path.read_text(encoding="utf-8")
    code: set[int] = set()
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type not in _NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            code.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(code)


def test_mixed_sources_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from fmerl_platform.running import session

    monkeypatch.setattr(session, "_SOURCE", tmp_path)
    with pytest.raises(session.MixedSourcesError, match="runtime_env"):
        session.check_sources()


@pytest.mark.parametrize("script", sorted((EXPERIMENTS).glob("*.py")), ids=lambda path: path.name)
def test_every_script_has_help(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(script), run_name="__main__")
    assert left.value.code == 0
    assert f"Usage: {script.name}" in capsys.readouterr().out


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command: list[str | Path] = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", folder, REPOSITORY], check=True, capture_output=True)
    [path] = folder.glob("fmerl-*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_both_packages_their_data_and_nothing_that_shadows(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "fmerl/supervision/default/descriptions.json",
        "fmerl_platform/report/templates/report.html.j2",
        "fmerl_platform/serving/page/page.html",
    } <= names
    assert not any(name.startswith("platform") for name in names)


@pytest.mark.slow
def test_the_wheel_alone_runs_a_small_study(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    study = ["ablation", "--variants", "w/o Valence", "--seeds", "0", "1", "--scale", ".05", "--epochs", "1"]

    def fmerl(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = (
            "import fmerl_platform; from fmerl_platform.cli.main import main\n"
            f"assert fmerl_platform.__file__.startswith({str(tmp_path)!r}), fmerl_platform.__file__\n"
            f"main({list(arguments)!r})"
        )
        return _run(code, tmp_path, PYTHONPATH=str(tmp_path / "site"), RAY_AUTH_MODE="disabled")

    planned = fmerl(*study, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert not (tmp_path / "runs" / "reports").exists()
    result = fmerl(*study)
    assert result.returncode == 0, result.stderr
    assert "w/o Valence" in result.stdout
    assert (tmp_path / "runs" / "reports").is_dir()
