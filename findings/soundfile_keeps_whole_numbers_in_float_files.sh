#!/usr/bin/env bash
# soundfile 0.14.0: 16-bit samples written to a WAV of floats stay whole numbers, thousands of times above full scale.
#
# Guess: samples are scaled on the way, as between all other formats: 16,384 becomes .5, and .5 is read as 16,384.
# Seen:  16,384 is stored as 16384.0; the same array in a 24-bit file is .5. Reading floats as int16 does not scale either:
#        .5 and -1 are read as 0 and -1.
# For a user: whoever reads such a file as sound hears a square wave, since all of it is cut off at full scale, and a file of
# floats that is read as int16 is silence.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check soundfile==0.14.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import io

import numpy as np
import soundfile


def through(samples: np.ndarray, subtype: str, dtype: str) -> list[float]:
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", subtype=subtype)
    file.seek(0)
    return soundfile.read(file, dtype=dtype)[0].tolist()


whole, fractions = np.array([16_384, -32_768], np.int16), np.array([0.5, -1.0])
seen = {
    "int16 to 24 bits, read as floats": through(whole, "PCM_24", "float64"),
    "int16 to floats, read as floats": through(whole, "FLOAT", "float64"),
    "floats to 24 bits, read as int16": through(fractions, "PCM_24", "int16"),
    "floats to floats, read as int16": through(fractions, "FLOAT", "int16"),
}
for case, values in seen.items():
    print(f"{case:<34}{values}")
assert seen["int16 to 24 bits, read as floats"] == [0.5, -1.0], "the behaviour has changed"
assert seen["int16 to floats, read as floats"] == [16384.0, -32768.0], "the behaviour has changed"
assert seen["floats to 24 bits, read as int16"][1] == -32768, "the behaviour has changed"
assert seen["floats to floats, read as int16"] == [0, -1], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
