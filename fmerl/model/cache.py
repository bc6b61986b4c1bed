"""Keys and values of a dialogue's earlier turns, so that its next turn need not read them again.

Shapes: A attentions (encoders times heads), T turns kept, n new turns, d width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor

_FEWEST = 64


class KeyValueCache:
    """Keys and values that one model made of one dialogue, in a buffer that doubles when it is full.

    `extend` writes behind the turns that are kept and does not keep them: that is `keep`, once all went well. A turn
    that was broken off half-way is thus written over by the next one.
    """

    def __init__(self) -> None:
        self.turns = 0
        self._buffer = torch.empty(2, 0, 0, 0)

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the turns that are kept, then of new ones, [A, T + n, d] each.

        Args:
            key: The new turns' keys, [A, n, d].
            value: Their values, [A, n, d].
        """
        attentions, new, width = key.shape
        end = self.turns + new
        if end > self._buffer.shape[2]:
            grown = key.new_empty(2, attentions, max(2 * end, _FEWEST), width)
            if self.turns:
                grown[:, :, : self.turns] = self._buffer[:, :, : self.turns]
            self._buffer = grown
        keys, values = self._buffer[:, :, :end].unbind()
        keys[:, self.turns :] = key
        values[:, self.turns :] = value
        return keys, values

    def keep(self, turns: int) -> None:
        """Keep these many of the turns that were written last behind those that are kept."""
        self.turns += turns
