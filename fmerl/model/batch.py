"""Batches of whole dialogues, packed.

Shapes: B dialogues and N utterances of one batch, D_m width of modality m.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fmerl.model.cache import KeyValueCache


@dataclass(frozen=True, kw_only=True)
class Batch:
    """N utterances of B whole dialogues, one after the other, shortest dialogue first: no row is padding."""

    features: dict[str, Tensor]
    """Features by modality, [N, D_m], and knowledge where the system reads it."""
    present: dict[str, Tensor]
    """1 where the modality was observed, 0 where it is missing, [N, 1] by modality."""
    speaker: Tensor
    """Speaker index within the dialogue, [N]."""
    position: Tensor
    """Turn counted from 0 within the dialogue, [N]."""
    label: Tensor
    """Class index, negative without a target, [N]."""
    vad: Tensor
    """Valence, arousal and dominance, NaN where there is none, [N, 3]."""
    runs: tuple[tuple[int, int], ...]
    """(dialogues, turns) of each group of equally long dialogues, in row order."""
    rows: Tensor
    """The utterances' rows in the data, [N]."""
    cache: KeyValueCache | None = None
    """Earlier turns of the dialogue, if the batch is one dialogue's next turns and models attend to the past alone."""
