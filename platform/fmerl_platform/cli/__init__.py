"""What all scripts share: exit codes, one-line errors, the console."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from rich.console import Console

from fmerl.errors import InputError
from fmerl_platform.study.variant import StudyError

EXIT_OK, EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130

console = Console(stderr=True)
"""For progress and messages."""
results = Console()
"""For what the user asked for."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong with an argument in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_INPUT, f"{self.prog}: {message}; see --help\n")


def run(main: Callable[[], int]) -> NoReturn:
    """Run a script's main and leave with its exit code: 0, 1 failed run, 2 bad input, 130 interrupted."""
    try:
        code = main()
    except (InputError, StudyError) as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        code = EXIT_INPUT
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        code = EXIT_INTERRUPTED
    sys.exit(code)
