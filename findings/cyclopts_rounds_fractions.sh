#!/usr/bin/env bash
# cyclopts 5.5.2: an option annotated as a whole number takes a fraction and rounds it.
#
# Guess: `--epochs 1.5` for `epochs: int` is refused, as argparse, click and typer refuse it.
# Seen:  it is taken; 1.5 becomes 2 and 2.5 becomes 2, since Python rounds halves to even. In a tuple of ints each value
#        is rounded by itself. `1e3`, a whole number to the eye, is refused like a word.
# For a user of an experiment's command line: a mistyped seed, epoch or batch size trains something else without a word.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cyclopts==5.5.2

cat > "$folder/probe.py" <<'PYTHON'
from cyclopts import App, CycloptsError, Parameter

app = App(result_action="return_value", exit_on_error=False, print_error=False)


@app.default
def train(*, epochs: int = 0, seeds: tuple[int, ...] = ()) -> object:
    return epochs or seeds


def said(*arguments: str) -> object:
    try:
        return app(list(arguments))
    except CycloptsError as error:
        return type(error).__name__


seen = {
    "--epochs 1.5": said("--epochs", "1.5"),
    "--epochs 2.5": said("--epochs", "2.5"),
    "--epochs 1e3": said("--epochs", "1e3"),
    "--seeds 0.6 --seeds 1.4": said("--seeds", "0.6", "--seeds", "1.4"),
    "--epochs many": said("--epochs", "many"),
}
for asked, answer in seen.items():
    print(f"{asked:<26}{answer!r}")
assert seen == {
    "--epochs 1.5": 2,
    "--epochs 2.5": 2,
    "--epochs 1e3": "CoercionError",
    "--seeds 0.6 --seeds 1.4": (1, 1),
    "--epochs many": "CoercionError",
}, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
