"""The command `fmerl` and the scripts of `experiments/`, one table of commands for both."""

from __future__ import annotations

import gc
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, get_args

from cyclopts import App, CycloptsError, Parameter, Token, convert

import fmerl
from fmerl.errors import NO_SPACE, InputError, LostError, path_error
from fmerl.version import __version__
from fmerl_platform.study.variant import StudyError

COMMANDS = {
    "ablation": "the paper's ablation, or your own: variants x corpora x seeds",
    "main-results": "FMERL beside other systems on the same features (Table 1)",
    "zero-shot": "classes that were never learned (Table 2)",
    "across": "models of each corpus tested on the others: a matrix of corpora",
    "search": "search the loss weights, compare the best on fresh seeds",
    "report": "a study's report again without training, or one cell trained again and compared",
    "export": "a finished study's models in one folder, with a model card",
    "predict": "the emotions of your own conversations, by a trained model",
    "serve": "a trained model over HTTP, with a page to look at conversations",
    "score": "anyone's predictions: our scores, strata, calibration and paired verdict",
    "meld-text": "the ablation on MELD's text, from its CSVs",
    "finetune-text": "tune a text encoder on a corpus's emotions; encoders for extract, inputs compared",
    "extract": "feature tables from a corpus's texts, sounds and faces",
    "label": "VAD scores and emotion descriptions from a language model",
    "ask-knowledge": "what each utterance tells of its speaker and the others, from a language model, as features",
    "llm-baselines": "language models' own answers, a few examples shown",
    "import-corpus": "a corpus folder from a raw release, or from your own annotations",
    "inspect-corpus": "a corpus as it is: repeats, inertia, spans, class counts",
    "import-features": "a corpus folder and features from the pickles that papers publish",
    "make-media-corpus": "a made-up corpus with speech and faces, to try extraction on",
}
"""Summary of each command by name; a command is the function of its name in the module of its name."""
_WHOLE = re.compile(r"[+-]?\d+")
_ENDLESS = ("nan", "inf", "infinity")


def application() -> App:
    """The command `fmerl`; a command's module is imported when it is called."""
    app = _app("fmerl", help=(fmerl.__doc__ or "").partition("\n")[0], version_flags=("--version",))
    for name, summary in COMMANDS.items():
        app.command(_place(name), name=name, help=summary)
    return app


def _app(name: str, help: str | None = None, version_flags: Sequence[str] = ()) -> App:
    return App(
        name=name,
        help=help,
        version=__version__,
        version_flags=version_flags,
        default_parameter=Parameter(negative="", consume_multiple=True, allow_repeating=True, converter=_convert),
        help_format="plaintext",
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )


def _convert(hint: Any, tokens: Sequence[Token]) -> Any:
    """Convert as cyclopts does, which would round 1.5 to a whole number, and finds NaN within any bounds."""
    parts = set(_parts(hint))
    for token in tokens:
        if int in parts and float not in parts and not _WHOLE.fullmatch(token.value):
            raise ValueError(f"{token.value!r} is no whole number")
        if float in parts and token.value.strip("+-").lower() in _ENDLESS:
            raise ValueError(f"{token.value!r} is no finite number")
    return convert(hint, tokens)


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in get_args(hint):
        yield from _parts(part)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `fmerl` and leave with its exit code."""
    _run(application(), "fmerl", arguments)


def run_script(command: str) -> NoReturn:
    """Run one command as the script that was started."""
    name = Path(sys.argv[0]).name
    _run(single(name, command), name, None)


def options_of(command: str, arguments: Sequence[str]) -> Any:
    """The options that a command reads from its arguments.

    Raises:
        CycloptsError, InputError: Arguments that the command refuses.
    """
    _, bound, _ = single(command, command).parse_args(arguments, print_error=False, exit_on_error=False)
    return bound.arguments.get("options")


def single(name: str, command: str) -> App:
    """One command as a program of its own name."""
    module, _, function = _place(command).partition(":")
    app = _app(name)
    app.default(getattr(import_module(module), function))
    return app


def _place(command: str) -> str:
    name = command.replace("-", "_")
    return f"fmerl_platform.cli.{name}:{name}"


def _run(app: App, name: str, arguments: Sequence[str] | None) -> NoReturn:
    """Leave with 0, 1 for a failed run, 2 for bad arguments or input, 130 when interrupted, 143 when terminated."""
    from fmerl_platform.cli.console import EXIT_FAILED, EXIT_INPUT, EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, listen

    listen()
    # By default Python's collector takes two thirds of the time that the runs of a large study take to read.
    gc.set_threshold(50_000, 20, 20)
    terminated = False

    def terminate(number: int, frame: object) -> NoReturn:
        """Answer SIGTERM, which batch systems send before they kill, as an interrupt."""
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        code = app(sys.argv[1:] if arguments is None else arguments) or EXIT_OK
    except CycloptsError as error:
        told = error.__cause__ if isinstance(error.__cause__, InputError) else f"{error}; see --help"
        print(f"{name}: {' '.join(str(told).split())}", file=sys.stderr)
        code = EXIT_INPUT
    except (InputError, StudyError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        code = EXIT_INPUT
    except LostError as error:
        print(f"{name}: {error}", file=sys.stderr)
        code = EXIT_FAILED
    except OSError as error:
        if (mended := path_error(error)) is None:
            raise
        print(f"{name}: {mended}", file=sys.stderr)
        code = EXIT_FAILED if error.errno in NO_SPACE else EXIT_INPUT
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != signal.SIGTERM:
            raise
        terminated = terminated or isinstance(stop, SystemExit)  # Ray's answer to SIGTERM while it starts
        print(f"{'terminated' if terminated else 'interrupted'}; the same command resumes", file=sys.stderr)
        code = EXIT_TERMINATED if terminated else EXIT_INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    sys.exit(code)
