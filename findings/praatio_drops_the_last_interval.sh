#!/usr/bin/env bash
# praatio 6.2.2: of a short TextGrid without a line break at its end, as tgt 1.5 writes it, the last interval is lost.
#
# Guess: praatio reads every interval of a TextGrid that tgt writes in the short format, as tgt and pympi-ling do.
# Seen:  of three intervals praatio gives two, and says nothing. With a line break added to the file all three are
#        there, and so they are in the long format. The other way round, tgt raises IndexError over a label of two
#        lines, which the others write and read.
# For a user who brings annotations of several tools together: the last utterance of each file is missing. Count
# intervals.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    praatio==6.2.2 tgt==1.5 pympi-ling==1.71 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import sys
from pathlib import Path

import pympi
import tgt
from praatio import textgrid

READERS = {
    "tgt": lambda path: [interval.text for interval in tgt.read_textgrid(path).tiers[0]],
    "praatio": lambda path: [entry.label for entry in textgrid.openTextgrid(path, False).tiers[0].entries],
    "pympi": lambda path: [entry[2] for entry in next(pympi.TextGrid(path).get_tiers()).get_intervals()],
}
WORDS = ["joy", "anger", "fear"]


def read(path: Path) -> dict[str, list[str] | str]:
    seen: dict[str, list[str] | str] = {}
    for name, reader in READERS.items():
        try:
            seen[name] = reader(str(path))
        except (IndexError, ValueError) as error:
            seen[name] = type(error).__name__
    return seen


def by_tgt(path: Path, form: str) -> None:
    tier = tgt.IntervalTier(0, 3, "emotion")
    for start, word in enumerate(WORDS):
        tier.add_interval(tgt.Interval(start, start + 1, word))
    grid = tgt.TextGrid()
    grid.add_tier(tier)
    tgt.write_to_file(grid, str(path), format=form)


def by_praatio(path: Path, form: str, words: list[str]) -> None:
    entries = [(start, start + 1, word) for start, word in enumerate(words)]
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier("emotion", entries, 0, len(words)))
    grid.save(str(path), f"{form}_textgrid", includeBlankSpaces=True)


path = Path(sys.argv[1]) / "talk.TextGrid"
for form in ("long", "short"):
    by_praatio(path, form, WORDS)
    seen = {f"{form} by praatio": read(path)}
    by_tgt(path, form)
    seen[f"{form} by tgt"] = read(path)
    path.write_text(path.read_text() + "\n")
    seen[f"{form} by tgt, with a line break at its end"] = read(path)
    for written, labels in seen.items():
        print(f"{written}:\n    {labels}")
        for name, found in labels.items():
            lost = name == "praatio" and written == "short by tgt"
            assert found == (WORDS[:2] if lost else WORDS), "the behaviour has changed"
    two = ["joy", "anger\n(shouted)", "fear"]
    by_praatio(path, form, two)
    labels = read(path)
    print(f"{form} by praatio, a label of two lines:\n    {labels}")
    assert labels["praatio"] == labels["pympi"] == two, "the behaviour has changed"
    assert labels["tgt"] == "IndexError", "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
