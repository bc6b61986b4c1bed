"""Losses that several systems share. Shapes: N utterances, D width; every utterance given has a target."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def supervised_contrastive(
    x: Tensor, label: Tensor, temperature: float, *, focus: float = 0.0, weight: Tensor | None = None
) -> Tensor:
    """Supervised contrastive loss of each row against all others (Khosla et al. 2020, L_out).

    Args:
        x: Representations, compared by their cosine, [N, D].
        label: Class indices, [N].
        temperature: Temperature of the softmax over the other rows.
        focus: Exponent gamma of a pair's weight (1 - p)^gamma, p its softmax (MultiEMO's focal form).
        weight: Weight of each row, [N].

    Returns:
        Weighted mean over the rows that have a positive; 0 if none has.
    """
    x = F.normalize(x, dim=1)
    itself = torch.eye(len(x), dtype=torch.bool, device=x.device)
    log_share = (x @ x.T / temperature).masked_fill(itself, -1e9).log_softmax(1)
    positive = (label.unsqueeze(1) == label) & ~itself
    per_pair = log_share if focus == 0 else (1 - log_share.exp()) ** focus * log_share
    per_row = -torch.where(positive, per_pair, 0.0).sum(1) / positive.sum(1).clamp(min=1)
    counted = positive.any(1).to(x) * (1.0 if weight is None else weight)
    return (per_row * counted).sum() / counted.sum().clamp(min=1e-12)


def soft_hgr(f: Tensor, g: Tensor) -> Tensor:
    """Soft-HGR maximal correlation of two views of the same rows (Wang et al. 2019), to be maximised.

    E[f . g] - tr(cov(f) cov(g)) / 2 of centred f and g, both [N, D]; 0 of fewer than two rows.
    """
    if len(f) < 2:
        return (f * g).sum() * 0
    f, g = f - f.mean(0), g - g.mean(0)
    agreement = (f * g).sum(1).mean()
    return agreement - (f.T @ f / (len(f) - 1) * (g.T @ g / (len(g) - 1))).sum() / 2
