"""The method by hand: slow, in float64, one dialogue, utterance, head and pair at a time.

Written from the equations (of FMERL's paper; the backbone's from SDT, Ma et al. 2023) and sharing no code with
`fmerl`. Tensors serve only as numbers that remember their gradient: no layer, loss or attention of PyTorch is used.

Shapes: B dialogues, S turns of the longest one, N utterances, M modalities, D width, C classes, E width of anchors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# --- The backbone, padded as SDT pads it


@dataclass(frozen=True)
class Linear:
    """y = W x + b."""

    weight: Tensor
    """[out, in]"""
    bias: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        y = self.weight @ x
        return y if self.bias is None else y + self.bias


@dataclass(frozen=True)
class Encoder:
    """SDT's one-layer transformer source -> target."""

    query: Linear
    key: Linear
    value: Linear
    out: Linear
    norm_weight: Tensor
    norm_bias: Tensor
    inner: Linear
    outer: Linear
    gate: Linear | None
    """None is SDT's frozen identity."""


@dataclass(frozen=True)
class SDT:
    """Weights of the whole backbone; encoders by (source, target)."""

    heads: int
    speaker: Tensor
    """[P + 1, D], the last row null."""
    project: list[Linear]
    encoders: dict[tuple[int, int], Encoder]
    reduce: list[Linear]
    last_gate: Linear | None


def unstack(state: Mapping[str, Tensor], modalities: Sequence[str], heads: int) -> SDT:
    """SDT's separate layers out of the stacked parameters of `fmerl.model.backbone.Backbone`.

    A stacked layer holds [P, in, out]. Encoder p = target * M + source. Of modality m, `key_value_query` holds
    [M_other, 3, D] outputs: the key (0) and value (1) that m gives as source to target M_other, and the query (2)
    that m asks as target from source M_other.
    """
    count = len(modalities)
    width = state["speaker.weight"].shape[1]

    def stacked(name: str, p: int) -> Linear:
        bias = state.get(f"{name}.bias")
        return Linear(state[f"{name}.weight"][p].T, None if bias is None else bias[p, 0])

    def attention(m: int, other: int, part: int) -> Linear:
        first = (other * 3 + part) * width
        columns = slice(first, first + width)
        return Linear(state["key_value_query.weight"][m, :, columns].T, state["key_value_query.bias"][m, 0, columns])

    encoders = {}
    for source in range(count):
        for target in range(count):
            p = target * count + source
            encoders[source, target] = Encoder(
                query=attention(target, source, 2),
                key=attention(source, target, 0),
                value=attention(source, target, 1),
                out=stacked("attention_out", p),
                norm_weight=state["feed_forward.norm_weight"][p, 0],
                norm_bias=state["feed_forward.norm_bias"][p, 0],
                inner=stacked("feed_forward.inner", p),
                outer=stacked("feed_forward.outer", p),
                gate=stacked("unimodal_gate", p) if "unimodal_gate.weight" in state else None,
            )
    return SDT(
        heads=heads,
        speaker=state["speaker.weight"],
        project=[Linear(state[f"project.{name}.weight"]) for name in modalities],
        encoders=encoders,
        reduce=[stacked("reduce", target) for target in range(count)] if count > 1 else [],
        last_gate=Linear(state["multimodal_gate.weight"]) if count > 1 else None,
    )


def standardized(column: Sequence[float], observed: Sequence[bool]) -> list[float]:
    """One feature column to zero mean and unit variance over its observed rows; elsewhere zeros."""
    sample = [x for x, seen in zip(column, observed, strict=True) if seen]
    mean = sum(sample) / len(sample)
    variance = sum((x - mean) ** 2 for x in sample) / len(sample)
    return [
        (x - mean) / math.sqrt(variance) if seen and variance > 0 else 0.0
        for x, seen in zip(column, observed, strict=True)
    ]


def fused(sdt: SDT, features: list[Tensor], speaker: Tensor, mask: Tensor) -> Tensor:
    """SDT's representation of padded dialogues, in evaluation mode.

    Args:
        sdt: Weights.
        features: Per modality [B, S, D_m]; zeros where missing and in the padding.
        speaker: [B, S]; whoever has no embedding of his own is P, as the padding is.
        mask: 1 for an utterance, 0 for padding, [B, S].

    Returns:
        [B, S, D]; meaningless in the padding.
    """
    return torch.stack(
        [_dialogue(sdt, [values[b] for values in features], speaker[b], mask[b]) for b in range(len(mask))]
    )


def _dialogue(sdt: SDT, features: list[Tensor], speaker: Tensor, mask: Tensor) -> Tensor:
    turns, modalities = len(mask), len(features)
    width = sdt.speaker.shape[1]
    streams = [
        torch.stack(
            [sdt.project[m](x) + position(s, width) + sdt.speaker[speaker[s]] for s, x in enumerate(features[m])]
        )
        for m in range(modalities)
    ]
    reduced = []
    for target in range(modalities):
        encoded = []
        for source in range(modalities):
            encoder = sdt.encoders[source, target]
            out = _encode(encoder, streams[source], streams[target], mask, sdt.heads)
            encoded.append([x * _sigmoid(x if encoder.gate is None else encoder.gate(x)) for x in out])
        if modalities == 1:
            return torch.stack(encoded[0])
        reduced.append([sdt.reduce[target](torch.cat([stream[s] for stream in encoded])) for s in range(turns)])
    assert sdt.last_gate is not None
    rows = []
    for s in range(turns):
        exponentials = [torch.exp(sdt.last_gate(stream[s])) for stream in reduced]
        rows.append(sum(e * stream[s] for e, stream in zip(exponentials, reduced, strict=True)) / sum(exponentials))
    return torch.stack(rows)


def position(turn: int, width: int) -> Tensor:
    """Sinusoidal position encoding of one turn, [D]."""
    angles = [turn / 10_000 ** (2 * (d // 2) / width) for d in range(width)]
    return torch.tensor([math.sin(a) if d % 2 == 0 else math.cos(a) for d, a in enumerate(angles)], dtype=torch.float64)


def _encode(encoder: Encoder, source: Tensor, target: Tensor, mask: Tensor, heads: int) -> list[Tensor]:
    """Attention, residual from the target, pre-norm feed-forward, residual: [S, D] and [S, D] -> S rows of [D]."""
    size = source.shape[1] // heads
    keys, values = [encoder.key(x) for x in source], [encoder.value(x) for x in source]
    rows = []
    for x in target:
        query, context = encoder.query(x), []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = [(query[part] * key[part]).sum() / math.sqrt(size) for key in keys]
            # The key-padding mask, as SDT writes it.
            scores = [
                score if real else torch.full_like(score, -1e10) for score, real in zip(scores, mask, strict=True)
            ]
            peak = max(score.item() for score in scores)
            exponentials = [torch.exp(score - peak) for score in scores]
            context.append(
                sum(e * value[part] for e, value in zip(exponentials, values, strict=True)) / sum(exponentials)
            )
        out = encoder.out(torch.cat(context)) + x
        centred = out - out.mean()
        normed = centred / torch.sqrt((centred**2).mean() + 1e-6) * encoder.norm_weight + encoder.norm_bias
        rows.append(encoder.outer(_gelu(encoder.inner(normed))) + out)
    return rows


def _gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


# --- The objectives


def regression_output(raw: Tensor, target: str, low: float, high: float) -> Tensor:
    """Eq. 2's last step on the nets' raw values, on the scale its loss sees."""
    if target == "linear":
        return raw
    return low + (high - low) * _sigmoid(raw) if target == "scaled_sigmoid" else _sigmoid(raw)


def regression_loss(
    outputs: Tensor,
    scores: Sequence[Sequence[float]],
    valid: Sequence[bool],
    *,
    target: str,
    low: float,
    high: float,
    weights: Sequence[float],
    reduction: str,
) -> Tensor:
    """Eq. 3: outputs [N, K] against `scores` of the same K dimensions, NaN where there is none."""
    joined = torch.zeros((), dtype=torch.float64)
    for k, weight in enumerate(weights):
        errors = []
        for i, counts in enumerate(valid):
            score = scores[i][k]
            if not counts or math.isnan(score):
                continue
            if target == "unit":
                score = min(max((score - low) / (high - low), 0.0), 1.0)
            errors.append((outputs[i, k] - score) ** 2)
        if errors:
            joined = joined + weight * sum(errors) / len(errors)
    return joined / len(weights) if reduction == "mean" else joined


def cosine(f: Tensor, e: Tensor) -> Tensor:
    """S of Eq. 5, which Eq. 6 defines, for one utterance and one anchor."""
    return (f * e).sum() / torch.sqrt((f * f).sum()) / torch.sqrt((e * e).sum())


def centred(anchors: Tensor, seen: Sequence[bool]) -> Tensor:
    """Anchors less the mean of the seen classes' ones, [C, E]."""
    chosen = [anchor for anchor, included in zip(anchors, seen, strict=True) if included]
    return torch.stack([anchor - sum(chosen) / len(chosen) for anchor in anchors])


def contrastive_loss(
    f: Tensor,
    anchors: Tensor,
    label: Sequence[int],
    *,
    candidates: str,
    temperature: Tensor | float,
    reduction: str,
    weights: Sequence[float],
) -> Tensor:
    """L1, Eq. 5, for N utterances that all have a target; `weights` by class."""
    total, weight_sum = torch.zeros((), dtype=torch.float64), 0.0
    # In the batch the j-th candidate is the j-th utterance's anchor, and i's positive is its own: the i-th.
    owners = range(len(anchors)) if candidates == "unique" else label
    for i, gold in enumerate(label):
        exponentials = [torch.exp(cosine(f[i], anchors[owner]) / temperature) for owner in owners]
        if candidates == "multi_positive":
            positive = sum(e for e, owner in zip(exponentials, owners, strict=True) if owner == gold)
        else:
            positive = exponentials[gold if candidates == "unique" else i]
        total = total - weights[gold] * torch.log(positive / sum(exponentials))
        weight_sum += weights[gold]
    return total / weight_sum if reduction == "mean" else total


def negative_loss(f: Tensor, anchors: Tensor, label: Sequence[int], *, negatives: str) -> Tensor:
    """L2, Eq. 7, for N utterances that all have a target."""
    owners = label if negatives == "in_batch" else range(len(anchors))
    pairs = [(i, owner) for i, gold in enumerate(label) for owner in owners if owner != gold]
    total = sum((1 + cosine(f[i], anchors[owner]) for i, owner in pairs), torch.zeros((), dtype=torch.float64))
    return total / (len(label) if negatives == "classes_per_utterance" else max(len(pairs), 1))
