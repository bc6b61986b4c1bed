"""`cluster/slurm.sh` on one machine: Slurm's commands are made up, and processes stand for its nodes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from helpers.faulty_study import FaultyStudy
from helpers.processes import below, tail, wait_until
from helpers.ray_heads import end_all_with, environment, free_port
from helpers.repository import REPOSITORY

SCRIPT = REPOSITORY / "cluster" / "slurm.sh"
MARK = "FMERL_TEST_SLURM"
"""Environment variable of all processes of a job: the test's folder."""
SLURM = {
    "scontrol": f"""case "$1" in
        show) [ "$2 $3" = "hostnames $SLURM_JOB_NODELIST" ] && tr , '\\n' <<< "$SLURM_JOB_NODELIST" ;;
        requeue) echo "$2" >> "${MARK}/requeued" ;;
    esac""",
    "srun": f"""echo "$@" >> "${MARK}/steps"
    while [[ "$1" == -* ]]; do
        case "$1" in --nodes=1 | --ntasks=1 | --nodelist=one | --exclude=one) shift ;; *) exit 2 ;; esac
    done
    exec "$@" """,
}
"""Slurm's commands; a step has one task, which runs here."""
NO_RAY = {
    "ray": f"""[ "$1" != start ] || {{ touch "${MARK}/node"; exec sleep infinity; }}""",
    "python": f"""[ -e "${MARK}/joined" ]""",
}
"""Commands that stand for Ray's: a node that does nothing, and has joined when the test says so."""
COMMAND = f"""trap 'echo saved; exit 143' TERM; touch "${MARK}/started"; while :; do sleep .05; done"""
"""A command that saves what it has when it is ended."""


def wall_time_signal() -> signal.Signals:
    """The signal that the script asks Slurm for."""
    found = re.search(r"^#SBATCH --signal=B:(\w+)@\d+$", SCRIPT.read_text(encoding="utf-8"), re.M)
    assert found, "the script asks for no signal of its own"
    return signal.Signals[f"SIG{found[1]}"]


class Job:
    """A job of Slurm's in a folder, which may be started again, as after a requeue.

    Args:
        folder: The test's folder.
        tools: Commands that are put in place of others: bash by name.
        variables: Environment variables, of Slurm's or the user's.
    """

    def __init__(self, folder: Path, tools: Mapping[str, str], **variables: str) -> None:
        self.folder, self.log, self.number = folder, folder / "log", variables.get("SLURM_JOB_ID", "7")
        bin_, home = folder / "bin", folder / "home"
        bin_.mkdir()
        home.mkdir()
        for name, text in tools.items():
            (bin_ / name).write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
            (bin_ / name).chmod(0o755)
        given = environment(Path(sys.executable))
        self._variables = given | {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(bin_), given["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")]),
            "RAY_HEAD_IP": "127.0.0.1",
            "SLURM_JOB_ID": self.number,
            "SLURM_JOB_NODELIST": "one",
            "SLURM_CPUS_ON_NODE": "1",
            MARK: str(folder),
            **variables,
        }

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as output:
            return subprocess.Popen(
                ["bash", SCRIPT, *command], cwd=REPOSITORY, env=self._variables, stdout=output, stderr=output
            )

    def written(self, name: str) -> list[str]:
        """Lines of a file that the made-up commands have written."""
        path = self.folder / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def wait_for_file(self, name: str, process: subprocess.Popen[bytes]) -> None:
        wait_until((self.folder / name).exists, process, self.log)

    def left(self) -> list[psutil.Process]:
        """Processes of the job that are still there."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.folder):
                    found.append(process)
            except psutil.Error:
                continue
        return psutil.wait_procs(found, timeout=60)[1]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """On one node without Ray, which has joined."""
    (tmp_path / "joined").touch()
    return Job(tmp_path, SLURM | NO_RAY)


@pytest.mark.parametrize(
    ("sent", "requeued"), [(wall_time_signal(), ["7"]), (signal.SIGTERM, [])], ids=["wall-time limit", "cancelled"]
)
def test_only_the_wall_time_limit_brings_a_job_back(job: Job, sent: signal.Signals, requeued: list[str]) -> None:
    process = job.start("bash", "-c", COMMAND)
    job.wait_for_file("started", process)
    process.send_signal(sent)
    assert process.wait() == 143, tail(job.log)
    assert "saved" in tail(job.log)
    assert job.written("requeued") == requeued
    assert job.left() == []


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_job_ends_as_its_command_and_takes_its_nodes_along(job: Job, code: int) -> None:
    assert job.start("bash", "-c", f"exit {code}").wait() == code, tail(job.log)
    assert job.written("requeued") == []
    assert job.left() == []


def test_a_command_that_ends_well_in_spite_of_the_signal_is_not_run_again(job: Job) -> None:
    process = job.start("bash", "-c", COMMAND.replace("143", "0"))
    job.wait_for_file("started", process)
    process.send_signal(wall_time_signal())
    assert process.wait() == 0, tail(job.log)
    assert job.written("requeued") == []


def test_the_limit_may_come_while_nodes_are_waited_for(tmp_path: Path) -> None:
    job = Job(tmp_path, SLURM | NO_RAY)
    process = job.start("sleep", "infinity")
    job.wait_for_file("node", process)
    process.send_signal(wall_time_signal())
    (tmp_path / "joined").touch()
    assert process.wait() == 143, tail(job.log)
    assert job.written("requeued") == ["7"]
    assert job.left() == []


def test_a_node_that_ends_before_it_has_joined_ends_the_job(tmp_path: Path) -> None:
    job = Job(tmp_path, {**SLURM, **NO_RAY, "ray": '[ "$1" != start ] || exit 3'})
    assert job.start("true").wait() == 1
    assert "slurm.sh: a node of Ray, or MLflow's server, has ended" in tail(job.log)


def test_a_script_without_command_or_allocation_is_refused(job: Job, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert job.start().wait() == 2
    assert tail(job.log).startswith("slurm.sh: no command given")
    outside = Job(tmp_path_factory.mktemp("outside"), SLURM | NO_RAY, SLURM_JOB_ID="")
    assert outside.start("true").wait() == 2
    assert tail(outside.log).startswith("slurm.sh: not in an allocation")


@pytest.mark.slow
def test_a_study_on_two_nodes_is_interrupted_at_the_limit_and_resumes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("s")  # Ray's sockets need a short path
    study = FaultyStudy(folder, seeds=2)
    own = f'--temp-dir="{folder / "ray"}" --object-store-memory=200000000 --dashboard-agent-listen-port='
    head = f"--dashboard-port={free_port()} --ray-client-server-port={free_port()} {own}{free_port()}"
    ray = f"""case "$*" in
        start*--head*) set -- "$@" {head} ;;
        start*) set -- "$@" {own}{free_port()} ;;
    esac
    exec "{sys.executable}" -m ray.scripts.scripts "$@" """
    variables = {"SLURM_JOB_ID": _free_job(), "SLURM_JOB_NODELIST": "one,two", "FMERL_STORAGE": str(study.storage)}
    job = Job(folder, {**SLURM, "ray": ray}, **variables)
    study.log, command = job.log, ["python", "experiments/ablation_grid.py", *study.arguments]
    try:
        process = job.start(*command)
        study.wait(lambda: len(study.finished()) >= 2 and _training(process) == 2, process)
        process.send_signal(wall_time_signal())
        code = process.wait()
        before, seen = study.finished(), "terminated; the same command resumes"
        assert seen in tail(job.log).splitlines()
        assert job.written("requeued") == [job.number]
        assert len(before) < study.cells, "it was over before the limit"
        assert job.left() == []
        again = job.start(*command)
        assert again.wait() == 0, tail(job.log)
        study.check("Wall-time limit of a Slurm job", str(code), seen, before)
        assert job.written("requeued") == [job.number]
    finally:
        end_all_with(MARK, str(folder))
    placed = [line.split(" bash ")[0] for line in job.written("steps")]
    assert placed == 2 * ["--nodes=1 --ntasks=1 --nodelist=one", "--nodes=1 --ntasks=1 --exclude=one"]


def _training(process: subprocess.Popen[bytes]) -> int:
    """Number of workers that train; each node has a CPU for one."""
    return len(below(process.pid, "ray::ImplicitFunc"))


def _free_job() -> str:
    """Number of a job whose ports are free."""
    for number in range(os.getpid() % 5000, 5000):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", 20000 + 2 * number))
                second.bind(("127.0.0.1", 20001 + 2 * number))
            except OSError:
                continue
            return str(number)
    raise AssertionError("no ports are free")
