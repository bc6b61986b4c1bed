"""Systems that can be tuned, by name."""

from __future__ import annotations

from fmerl.finetuning.cled import CLED
from fmerl.finetuning.compm import CoMPM
from fmerl.finetuning.config import SystemChoice
from fmerl.finetuning.model import TunedClassifier
from fmerl.finetuning.mplp.model import MPLP
from fmerl.finetuning.system import TunedSystem

SYSTEMS: dict[SystemChoice, type[TunedSystem]] = {
    "classifier": TunedClassifier,
    "compm": CoMPM,
    "cled": CLED,
    "mplp": MPLP,
}
