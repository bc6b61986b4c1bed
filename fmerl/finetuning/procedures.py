"""How each system is prepared and tuned, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fmerl.finetuning.cell import finetune, prepare
from fmerl.finetuning.config import SystemChoice
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.mplp.stages import prepare_mplp, tune_mplp
from fmerl.finetuning.packing import PassMaker
from fmerl.finetuning.result import TunedResult
from fmerl.finetuning.system import TunedSystem


class Procedure(NamedTuple):
    """Functions of one module that prepare and tune a system."""

    prepare: Callable[..., tuple[Any, TunedSystem, TuningData, PassMaker]]
    """Called as `fmerl.finetuning.cell.prepare`."""
    tune: Callable[..., TunedResult]
    """Called as `fmerl.finetuning.cell.finetune`."""


_ENCODER = Procedure(prepare, finetune)
PROCEDURES: dict[SystemChoice, Procedure] = {
    "classifier": _ENCODER,
    "compm": _ENCODER,
    "cled": _ENCODER,
    "mplp": Procedure(prepare_mplp, tune_mplp),
}
