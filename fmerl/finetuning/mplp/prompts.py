"""MPLP's prompts: vectors that stand in the second stage's input for words, made of the first stage's states.

Shapes: n utterances of a pass, M most earlier turns of one, K neighbours, U utterances of the corpus, D width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

_ROWS = 1024


class HistoryPrompt(nn.Module):
    """H_t = f_t + Σ_j α_j v_j over earlier turns, α_j = softmax_j(w · [f_t; f_j] + b).

    v are the states of an LSTM in both directions over W_self f_j of the speaker's own turns, W_other f_j of others'.

    Args:
        width: D, an even number.
        dropout: Dropout between the LSTM's two layers.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.own, self.others = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.lstm = nn.LSTM(width, width // 2, num_layers=2, dropout=dropout, bidirectional=True, batch_first=True)
        self.score = nn.Linear(2 * width, 1)

    def forward(self, state: Tensor, earlier: Tensor, own: Tensor, lengths: Tensor) -> Tensor:
        """Prompts, [n, D]; the state alone where there is no earlier turn.

        Args:
            state: f_t, [n, D].
            earlier: f_j, oldest first and zeros after the last one, [n, M, D]; M is at least 1.
            own: True at the speaker's own turns, [n, M].
            lengths: How many turns each has, [n].
        """
        given = torch.where(own.unsqueeze(2), self.own(earlier), self.others(earlier))
        # A row without a turn goes through as if it had one and weighs 0: every pass has a gradient of all weights.
        packed = pack_padded_sequence(given, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        values, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=earlier.shape[1])
        scores = self.score(torch.cat([state.unsqueeze(1).expand_as(earlier), earlier], dim=2)).squeeze(2)
        counts = lengths.unsqueeze(1)
        beyond = torch.arange(earlier.shape[1], device=state.device) >= counts.clamp(min=1)
        weights = scores.masked_fill(beyond, -math.inf).softmax(1) * (counts > 0)
        return state + (weights.unsqueeze(2) * values).sum(1)


class ExperiencePrompt(nn.Module):
    """X_t = f_t + Σ_k β_k f_k over similar training utterances, β_k = softmax_k(w · (f_t ⊙ f_k) + b).

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, state: Tensor, near: Tensor) -> Tensor:
        """Prompts, [n, D], of states [n, D] and those of their neighbours [n, K, D]."""
        weights = self.score(state.unsqueeze(1) * near).softmax(1)
        return state + (weights * near).sum(1)


def nearest(states: Tensor, candidates: NDArray, count: int, exclude_itself: bool) -> Tensor:
    """Rows of the candidates whose states have the largest cosines with each state, nearest first, [U, count].

    Args:
        states: States of all utterances, [U, D], on the CPU.
        candidates: Rows to choose among; one more than `count` where none is to be its own neighbour.
        count: How many.
        exclude_itself: True if none is its own neighbour.
    """
    rows = torch.from_numpy(candidates)
    unit = F.normalize(states, dim=1)
    found = []
    for own in torch.arange(len(states)).split(_ROWS):
        cosines = unit[own] @ unit[rows].T
        if exclude_itself:
            cosines = cosines.masked_fill(own.unsqueeze(1) == rows, -math.inf)
        found.append(rows[cosines.topk(count, dim=1).indices])
    return torch.cat(found)
