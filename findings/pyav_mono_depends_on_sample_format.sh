#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8.1): two equal channels mixed to one are 3 dB louder as floats than as 16-bit samples.
#
# Guess: `AudioResampler(layout="mono")` averages the channels, of any layout and in any format.
# Seen:  a constant of half of full scale on both channels stays .5 in 16 bits, and is .707 as floats, above full scale for
#        loud sound. Of 2.1 the third channel is left out; of 5.1 the centre counts 1.4 times as much as the left, and
#        the low-frequency channel nothing.
# For a user: a WAV (16 bits) and the MP3 or AAC made of it (floats) differ by 3 dB once they are mono, and so do features of
# loudness; a third microphone is never heard.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import av
import numpy as np

RATE = 16_000


def mono(channels: np.ndarray, layout: str) -> float:
    """A sample in the middle of the mix, where full scale is 1."""
    whole = channels.dtype == np.int16
    frame = av.AudioFrame.from_ndarray(channels, format="s16p" if whole else "fltp", layout=layout)
    frame.sample_rate = RATE
    (mixed,) = av.AudioResampler(format="s16" if whole else "flt", layout="mono", rate=RATE).resample(frame)
    return round(float(mixed.to_ndarray()[0, 80]) / (2**15 if whole else 1), 3)


def weights(layout: str, count: int) -> list[float]:
    """What a channel of floats counts alone."""
    return [mono(np.eye(count, dtype=np.float32)[[place]].T.repeat(160, axis=1), layout) for place in range(count)]


equal = {"16 bits": np.full((2, 160), 2**14, np.int16), "floats": np.full((2, 160), 0.5, np.float32)}
loudness = {name: mono(channels, "stereo") for name, channels in equal.items()}
print(loudness)
by_layout = {layout: weights(layout, count) for layout, count in (("stereo", 2), ("2.1", 3), ("5.1", 6))}
for layout, counted in by_layout.items():
    print(f"{layout:<8}{counted}")
assert loudness == {"16 bits": 0.5, "floats": 0.707}, "the behaviour has changed"
assert by_layout["2.1"] == [0.707, 0.707, 0.0], "the behaviour has changed"
assert by_layout["5.1"] == [0.707, 0.707, 1.0, 0.0, 0.5, 0.5], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
