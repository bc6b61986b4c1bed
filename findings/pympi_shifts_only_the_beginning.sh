#!/usr/bin/env bash
# pympi-ling 1.71: an annotation that is shifted to before 0 begins at 0 and keeps its old end.
#
# Guess: `shift_annotations(-500)` moves one of .4 to 1 s to 0 to .5 s, cut off at 0, or refuses.
# Seen:  it lies from 0 to 1 s: only its beginning was moved, so that it is longer than before and overlaps the next,
#        which was moved. The call returns it among the "squashed" ones, with its old times. Those behind are right;
#        those that end before 0 are gone and returned as well.
# For a user who aligns annotations with a video that was cut later: each tier's first utterance has the words of the
# next one in its sound, and its features too. Shift what the lists returned do not name, and set the others anew.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pympi-ling==1.71

cat > "$folder/probe.py" <<'PYTHON'
from pympi import Elan

SPOKEN = [(0, 300, "Mm."), (400, 1000, "I see."), (1000, 2000, "Do you?"), (2500, 3500, "No.")]
seen = {}
for by in (500, -500):
    eaf = Elan.Eaf(author="made up")
    eaf.add_tier("Ann")
    for start, end, text in SPOKEN:
        eaf.add_annotation("Ann", start, end, text)
    squashed, removed = eaf.shift_annotations(by)
    seen[by] = sorted(eaf.get_annotation_data_for_tier("Ann")), squashed, removed
    print(f"by {by} ms: {seen[by][0]}, squashed {squashed}, removed {removed}")
assert seen[500] == ([(start + 500, end + 500, text) for start, end, text in SPOKEN], [], []), "the behaviour has changed"
shifted, squashed, removed = seen[-500]
assert shifted == [(0, 1000, "I see."), (500, 1500, "Do you?"), (2000, 3000, "No.")], "the behaviour has changed"
assert squashed == [("Ann", 400, 1000, "I see.")] and removed == [("Ann", 0, 300, "Mm.")], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
