"""Ray that cannot be started or reached: one line before any work. SIGTERM: an interrupt."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import ray

from fmerl.errors import InputError
from fmerl_platform import Study
from fmerl_platform.cli.ablation import AblationOptions
from fmerl_platform.cli.grid import ready
from fmerl_platform.cli.main import main, options_of
from fmerl_platform.cli.ready import check_ray
from fmerl_platform.running import session
from fmerl_platform.running.session import connected


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_long_temporary_folder_is_refused_with_the_length_that_ray_takes(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path("/tmp") / ("a-folder-of-a-batch-system/" * 3)
    monkeypatch.setattr("tempfile.gettempdir", lambda: os.environ.get("TMPDIR", "/tmp"))
    monkeypatch.setenv(variable, str(folder))
    with pytest.raises(InputError, match=r"\(at most 39 bytes\); set RAY_TMPDIR to a shorter folder") as caught:
        check_ray()
    assert caught.value.where == str(folder)
    monkeypatch.setenv("RAY_TMPDIR", "/" + "x" * 38)
    check_ray()


def test_a_cluster_that_does_not_answer_is_refused(
    free_port: int, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in (f"127.0.0.1:{free_port}", f"ray://127.0.0.1:{free_port}"):
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(InputError, match=r"no cluster answers there.*; start the cluster, or unset RAY_ADDRESS"):
            check_ray()
    monkeypatch.setenv("RAY_ADDRESS", "somewhere")
    with pytest.raises(InputError, match="no HOST:PORT, auto or local"):
        check_ray()
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{listening}")
    check_ray()


@pytest.mark.parametrize(
    "command",
    [
        ["ablation", "--scale", "0.02"],
        ["search", "--scale", "0.02", "--dry-run"],
        ["extract", "--corpus", "c", "--features", "f"],
        ["label", "--corpus", "c", "--labels", "l", "--model", "m"],
        ["llm-baselines", "--corpus", "synthetic-meld"],
    ],
)
def test_every_command_that_needs_ray_says_so_before_any_work(
    command: list[str],
    free_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port}")
    with pytest.raises(SystemExit) as left:
        main(command)
    said = capfd.readouterr().err
    assert left.value.code == 2, said
    assert said.count("\n") == 1
    assert "no cluster answers there" in said
    assert list(tmp_path.iterdir()) == []


def test_whatever_ray_raises_as_it_starts_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: object) -> None:
        raise ConnectionError("Could not find\nany running Ray instance")

    monkeypatch.setattr(ray, "init", fail)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with (
        pytest.raises(InputError, match=r"Could not find any running Ray instance\); start the cluster"),
        connected("auto"),
    ):
        raise AssertionError


def test_rays_answer_to_sigterm_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's dumps the stack and aborts."""

    def start(**options: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    monkeypatch.setattr(ray, "init", start)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    before = signal.getsignal(signal.SIGTERM)
    with connected("auto"):
        assert signal.getsignal(signal.SIGTERM) is before


def test_sigterm_is_an_interrupt_with_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def terminated(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("fmerl.synthetic.media.write_media_corpus", terminated)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        main(["make-media-corpus", "--output", str(tmp_path / "out")])
    assert left.value.code == 143
    assert capfd.readouterr().err == "terminated; the same command resumes\n"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("arguments", "report", "started"),
    [
        ([], False, [False]),
        (["--workers-per-cell", "2"], False, [True]),
        (["--set", "training.workers=2"], False, [True]),
        (["--workers-per-cell", "2", "--set", "workers=1"], False, [False]),
        (["--axis", "training.workers=1,2"], False, [True]),
        (["--dry-run"], False, []),
        ([], True, []),
    ],
    ids=["new", "Ray Train", "Ray Train, set", "one worker, set", "Ray Train, varied", "dry run", "with a report"],
)
def test_ray_starts_beside_the_imports_where_cells_wait(
    arguments: list[str], report: bool, started: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[bool] = []

    def early_session(*, dashboard: bool) -> AbstractContextManager[None]:
        said.append(dashboard)
        return nullcontext()

    monkeypatch.setattr(session, "early_session", early_session)
    options = options_of("ablation", ["--storage", str(tmp_path), *arguments])
    assert isinstance(options, AblationOptions)
    study = Study("mine", variants=options.compared.chosen(), inputs=options.inputs)
    if report:
        (tmp_path / "reports" / "mine").mkdir(parents=True)
    with ready(study, options):
        pass
    assert said == started


def test_a_cluster_is_not_joined_before_cells_wait(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port}")
    before = ray.is_initialized()
    with session.early_session(dashboard=False):
        assert ray.is_initialized() is before
