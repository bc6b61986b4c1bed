"""How each system is prepared and tuned, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fmerl.corpus import Corpus
from fmerl.finetuning.cell import TunedResult, finetune
from fmerl.finetuning.config import SystemChoice, TuningConfig
from fmerl.finetuning.data import TuningData, tuning_data
from fmerl.finetuning.model import longest_input, prepare_encoder
from fmerl.finetuning.mplp.stages import prepare_mplp, tune_mplp
from fmerl.finetuning.packing import PassMaker
from fmerl.finetuning.system import TunedSystem
from fmerl.finetuning.systems import SYSTEMS

PROCEDURES: dict[SystemChoice, Callable[..., TunedResult]] = {
    "classifier": finetune,
    "compm": finetune,
    "cled": finetune,
    "mplp": tune_mplp,
}
"""Tuning of a system, called as `fmerl.finetuning.cell.finetune`."""


def prepare(
    corpus: Corpus, config: TuningConfig, unseen: Sequence[str] = ()
) -> tuple[TunedSystem, TuningData, PassMaker]:
    """A system before it is tuned, the corpus as it reads it, and the maker of its passes.

    Raises:
        InputError: An encoder that cannot be used, or a corpus or settings that do not fit it.
    """
    if config.system == "mplp":
        return prepare_mplp(corpus, config, unseen=unseen)[1:]
    tokenizer, encoder, maker = prepare_encoder(config)
    data = tuning_data(corpus, config, tokenizer, longest_input(tokenizer, encoder), unseen=unseen)
    return SYSTEMS[config.system].create(encoder, config, data), data, maker
