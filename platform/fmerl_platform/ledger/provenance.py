"""Provenance of a study: code, packages, host."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from fmerl import errors
from fmerl_platform.study.fingerprint import code_digest, source_digest

_PACKAGES = ("torch", "ray", "mlflow", "optuna", "transformers", "numpy", "scikit-learn")

SAME_NUMBERS = ("code_digest", "python", "packages", "processor")
"""Facts that, if they agree, make a cell trained again on CPU give the same bits."""


@cache
def provenance() -> dict[str, str]:
    """Code, git commit where there is one, packages and host, as short strings."""
    return {
        "code_digest": code_digest(),
        "git_commit": _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or "not a git checkout",
        "python": platform.python_version(),
        "packages": " ".join(f"{name}=={version(name)}" for name in _PACKAGES),
        "processor": _processor(),
        "host": f"{platform.node()}, {platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}",
    }


def engine_digest() -> str:
    """SHA-256 over the sources of `fmerl_platform`."""
    return source_digest("fmerl_platform")


def command_line() -> str:
    """The running command, quoted for a shell."""
    return shlex.join(["python", *sys.argv])


def working_tree_diff() -> str:
    """Uncommitted changes of the checkout's tracked files; empty without any, or outside a checkout."""
    return _git("diff", "HEAD", "--no-ext-diff")


def _git(*arguments: str) -> str:
    """Output of git in the checkout the code runs from; empty where there is none."""
    command = ["git", "-C", str(Path(errors.__file__).parents[1]), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _processor() -> str:
    """Model of the GPU that cells train on, else of the CPU."""
    if torch.cuda.is_available():
        return f"GPU {torch.cuda.get_device_name()}"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
