"""A condition as users write it: `audio:snr=10`, `visual:delay=2`, `text:drop`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fmerl.config import MODALITIES
from fmerl.errors import InputError

Corruption = Literal["drop", "snr", "delay"]

_FORM = "write MODALITY:drop, :drop=SHARE, :snr=DECIBELS or :delay=TURNS, as in audio:snr=10 or text+visual:drop=0.5"
_LOUDEST = 100.0
"""Largest signal-to-noise ratio either way, in dB; beyond it float32 holds the noise, or the feature, no more."""


@dataclass(frozen=True)
class Condition:
    """One way in which modalities are corrupted at test time; they are independent of each other."""

    modalities: tuple[str, ...]
    """Modalities in the order of `fmerl.config.MODALITIES`."""
    corruption: Corruption
    """drop: the modality was not observed. snr: white noise. delay: the features of an earlier turn."""
    amount: float
    """Share of utterances, at most 1; signal-to-noise ratio in dB; or turns."""

    @property
    def name(self) -> str:
        """Name in the ledger and in reports: `text masked` of a whole modality, else as it is written."""
        masked = self.corruption == "drop" and self.amount == 1
        return f"{'+'.join(self.modalities)} masked" if masked else self.text

    @property
    def text(self) -> str:
        """The condition as a user writes it."""
        amount = "" if self.corruption == "drop" and self.amount == 1 else f"={self.amount:.10g}"
        return f"{'+'.join(self.modalities)}:{self.corruption}{amount}"


def mask_of(modality: str) -> Condition:
    """The condition in which a modality is never observed."""
    return Condition((modality,), "drop", 1.0)


def masks_of(modalities: Sequence[str]) -> tuple[Condition, ...]:
    """A mask of each modality of a model that reads several."""
    return tuple(map(mask_of, modalities)) if len(modalities) > 1 else ()


def parse_conditions(given: Sequence[str], where: str = "--conditions") -> tuple[Condition, ...]:
    """Parse conditions, several of which may stand in one text with spaces between them.

    Args:
        given: The texts.
        where: Option that they stand behind, for errors.

    Raises:
        InputError: A text that is no condition, or one condition twice.
    """
    found: dict[str, Condition] = {}
    for text in (part for each in given for part in each.split()):
        condition = _parse(text, where)
        if condition.name in found:
            raise InputError(where, f"{text} stands twice", "give each condition once")
        found[condition.name] = condition
    return tuple(found.values())


def _parse(text: str, where: str) -> Condition:
    listed, colon, how = text.partition(":")
    names = listed.split("+")
    corruption, equals, number = how.partition("=")
    unknown = [name for name in names if name not in MODALITIES]
    if not colon or unknown or len(set(names)) < len(names):
        what = f"{text!r} names {' '.join(unknown) or 'a modality twice'}, not some of {', '.join(MODALITIES)}"
        raise InputError(where, what if colon else f"{text!r} is no condition", _FORM)
    modalities = tuple(name for name in MODALITIES if name in names)
    amount = _number(number) if equals else 1.0 if corruption == "drop" else math.nan
    if corruption == "drop" and 0 < amount <= 1:
        return Condition(modalities, "drop", amount)
    if corruption == "snr" and abs(amount) <= _LOUDEST:
        return Condition(modalities, "snr", amount + 0.0)  # -0 is 0
    if corruption == "delay" and amount >= 1 and amount == int(amount):
        return Condition(modalities, "delay", amount)
    amounts = f"a share in (0, 1], decibels within ±{_LOUDEST:g} or whole turns from 1"
    raise InputError(where, f"{text!r} gives no corruption with {amounts}", _FORM)


def _number(text: str) -> float:
    """The number, NaN where there is none that is finite."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
