"""Where and with what a study was made."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import fmerl
from fmerl_platform.study import code_digest

_PACKAGES = ("torch", "ray", "mlflow", "optuna", "transformers", "numpy", "scikit-learn")


@cache
def provenance() -> dict[str, str]:
    """Code, git commit where there is one, packages and host, as short strings."""
    return {
        "code_digest": code_digest(),
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "packages": " ".join(f"{name}=={version(name)}" for name in _PACKAGES),
        "host": f"{platform.node()}, {platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}",
    }


def _git_commit() -> str:
    """HEAD of the checkout the code runs from, marked when files differ from it."""
    source = Path(fmerl.__file__).parent
    command = ["git", "-C", str(source), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not a git checkout"
