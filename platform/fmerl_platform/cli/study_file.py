"""A user's own study: a short Python file that defines `VARIANTS`, the control first."""

from __future__ import annotations

import runpy
from pathlib import Path

from fmerl.errors import InputError
from fmerl_platform.study.variant import Variant


def read_study_file(path: Path) -> tuple[Variant, ...]:
    """The variants that a file defines. The file runs as Python: read only your own.

    The control may change fields of the preset, which it then declares; every other variant changes fields of that
    control.

    Raises:
        InputError: The file is missing, raises an exception, or has no list of at least one `Variant`.
    """
    if not path.is_file():
        raise InputError(path, "no such file", "give a Python file that defines VARIANTS")
    try:
        variants = runpy.run_path(str(path)).get("VARIANTS")
    except (Exception, SystemExit) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(path, what, "mend the file", row=_line(error, path)) from error
    if not isinstance(variants, list | tuple) or not variants or not all(isinstance(v, Variant) for v in variants):
        raise InputError(path, "no VARIANTS", "define VARIANTS as a list of fmerl_platform.Variant, the control first")
    return tuple(variants)


def _line(error: BaseException, path: Path) -> int | None:
    """Line of the file where the exception arose."""
    if isinstance(error, SyntaxError):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
