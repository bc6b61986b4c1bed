"""Acoustic features by openSMILE (Section 4.2): the functionals of one utterance are one vector.

IS10, the Interspeech 2010 paralinguistic set, has 1582 columns: (34 + 34) * 21 + (4 + 4) * 19 + 2.
openSMILE's licence admits non-commercial use and research alone.

Shapes: n utterances, D columns of the set, S samples.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.errors import InputError
from fmerl.extras import optional_module
from fmerl.features.audio.sound import read_sound
from fmerl.features.encoder import Encoded, Item
from fmerl.features.media import MediaError

_INCLUDE = re.compile(r"^\s*\\\{([^\\{}?\n]+)\}", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioSpec:
    """An openSMILE encoder, by name of its set or by its config file.

    Example:
        >>> AudioSpec().build().width
        1582
    """

    feature_set: str = "IS10"
    """Member of `opensmile.FeatureSet`, as in eGeMAPSv02 or ComParE_2016, or a config file."""
    sampling_rate: int = 16000
    """Rate that all sound is resampled to, in Hz."""
    level: str = "func"
    """Output level of the config that is read; openSMILE's own sets call their functionals func."""
    longest: float = 300.0
    """Most seconds of an utterance that are read: openSMILE keeps all frames, 5 MiB a second for IS10."""

    def __post_init__(self) -> None:
        if self.sampling_rate < 1:
            raise ValueError(f"sampling_rate must be positive, not {self.sampling_rate}")
        if not self.longest > 0:
            raise ValueError(f"longest must be positive, not {self.longest}")

    @property
    def modality(self) -> str:
        return "audio"

    @property
    def uses_gpu(self) -> bool:
        return False

    def build(self, device: str = "cpu") -> AudioEncoder:
        """Load openSMILE, which computes on the CPU whatever the device.

        Raises:
            InputError: A set, config or package that is not there, or a config that makes no vector of an utterance.
        """
        return AudioEncoder(self)


class AudioEncoder:
    """openSMILE on one thread; silence, broken files and sound too short for the set are missing, with a reason."""

    modality = "audio"

    def __init__(self, spec: AudioSpec) -> None:
        self.spec = spec
        opensmile, self._av = optional_module("opensmile", "audio"), optional_module("av", "audio")
        sets = opensmile.FeatureSet.__members__
        config = Path(spec.feature_set).resolve()
        if spec.feature_set not in sets and not config.is_file():
            what = "no feature set and no config file of openSMILE"
            raise InputError(spec.feature_set, what, f"use one of {', '.join(sets)}")
        self._named = spec.feature_set if spec.feature_set in sets else _config_digest(config)
        self._version: str = opensmile.__version__
        try:
            self._smile = opensmile.Smile(
                sets.get(spec.feature_set, str(config)), spec.level, sampling_rate=spec.sampling_rate, num_workers=1
            )
            tried = self._functionals(np.random.default_rng(0).integers(-999, 999, spec.sampling_rate, np.int16))
        except Exception as error:  # openSMILE's errors share no base class with a public name.
            what = f"openSMILE cannot use it with level {spec.level!r} ({error})"
            raise InputError(spec.feature_set, what, "mend the config, or name its output level") from error
        if tried.shape[1] != 1:
            what = f"level {spec.level!r} gives {tried.shape[1]} vectors for a second of sound, not one"
            raise InputError(spec.feature_set, what, "choose a level of functionals over the whole input")
        self.columns: tuple[str, ...] = tuple(self._smile.column_names)
        self.width: int = len(self.columns)

    def recipe(self) -> dict[str, Any]:
        """Set or digest of the config with all that it includes, level, sound that it hears, and versions."""
        return {
            "encoder": "opensmile",
            "feature_set": self._named,
            "level": self.spec.level,
            "sampling_rate": self.spec.sampling_rate,
            "channels": "mean",
            "longest": self.spec.longest,
            "versions": {"opensmile": self._version, "av": self._av.__version__},
        }

    def encode(self, items: Sequence[Item]) -> Encoded:
        """Functionals of n utterances, [n, D]; each is read and computed alone."""
        values = np.zeros((len(items), self.width), dtype=np.float32)
        missing = np.zeros(len(items), dtype=np.bool_)
        problems: list[str | None] = []
        for row, item in enumerate(items):
            try:
                values[row], problem = self._vector(item)
            except MediaError as error:
                missing[row], problem = True, str(error)
            problems.append(problem)
        return Encoded(values, missing, tuple(problems))

    def _vector(self, item: Item) -> tuple[NDArray[np.float32], str | None]:
        rate = self.spec.sampling_rate
        sound, odd = read_sound(
            item.media, sampling_rate=rate, start=item.start, end=item.end, longest=self.spec.longest
        )
        vector = self._functionals(sound)[:, 0].astype(np.float32)
        bad = ~np.isfinite(vector)
        if bad.all():
            raise MediaError(f"{len(sound) / rate:.2f} s of sound are too short for {self.spec.feature_set}")
        if bad.any():
            first = self.columns[int(bad.argmax())]
            told = f"{bad.sum()} of {self.width} features are not finite and set to 0, the first is {first}"
            odd = told if odd is None else f"{odd}; {told}"
        return np.where(bad, np.float32(0), vector), odd

    def _functionals(self, sound: NDArray[np.int16]) -> NDArray[np.floating[Any]]:
        """Functionals of [S] samples, [D, vectors]; NaN where the sound is too short, which openSMILE also warns of."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            # openSMILE multiplies by 2^15 again: 16-bit samples arrive as they are.
            functionals: NDArray[np.floating[Any]] = self._smile(
                sound.astype(np.float32) / 2**15, self.spec.sampling_rate
            )[0]
        return functionals


def _config_digest(config: Path) -> str:
    """SHA-256 over a config and the files that it includes by paths relative to its own folder."""
    digest, waiting, seen = hashlib.sha256(), [config], set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        content = path.read_bytes()
        digest.update(hashlib.sha256(content).digest())
        waiting += [(path.parent / name).resolve() for name in _INCLUDE.findall(content.decode(errors="replace"))]
    return digest.hexdigest()
