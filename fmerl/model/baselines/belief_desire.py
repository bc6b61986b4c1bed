"""Graph of utterances, beliefs, desires and speakers: ours, after the abstract of Xu et al. (2024).

Shapes: N utterances, S speakers of all dialogues together, K neighbours at most, E width of a relation's vector, D
width of a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fmerl.config import CellConfig
from fmerl.model.baselines.classifier import ClosedSetSystem, Scores
from fmerl.model.batch import Batch
from fmerl.model.features import Standardizers
from fmerl.model.knowledge import Knowledge
from fmerl.model.layers import Dropout
from fmerl.model.system import ModelInputs

_SLOPE = 0.2
"""LeakyReLU's slope below zero."""


class Neighbours(NamedTuple):
    """Nodes that send a message to each node of a kind."""

    sender: Tensor
    """Rows of the senders, [V, K]; 0 where there is none."""
    there: Tensor
    """True where there is a sender, [V, K]."""


class Graph(NamedTuple):
    """Edges of a batch of conversations; turns are its N rows."""

    earlier: Neighbours
    """The turns before a turn, up to the window, [N, window]."""
    own_last: Neighbours
    """The speaker's last turn, [N, 1]."""
    own_speaker: Neighbours
    """The speaker, of those turns that are not the speaker's first, [N, 1]."""
    turns: Neighbours
    """A speaker's turns, [S, K]."""


def build_graph(batch: Batch, window: int) -> Graph:
    """The edges of a batch.

    Args:
        batch: Tells dialogues, turns and speakers.
        window: Earlier turns of the dialogue that a turn hears.
    """
    rows = torch.arange(len(batch.position), device=batch.position.device)
    back = torch.arange(1, window + 1, device=rows.device)
    heard = batch.position.unsqueeze(1) >= back
    dialogue = (batch.position == 0).cumsum(0)
    _, speaker, counts = (dialogue * (batch.speaker.max() + 1) + batch.speaker).unique(
        return_inverse=True, return_counts=True
    )
    in_order = speaker.argsort(stable=True)
    place = torch.empty_like(rows)
    place[in_order] = rows - (counts.cumsum(0) - counts)[speaker[in_order]]
    turns = rows.new_zeros(len(counts), int(counts.max()))
    turns[speaker, place] = rows
    later = (place > 0).unsqueeze(1)
    return Graph(
        earlier=Neighbours(torch.where(heard, rows.unsqueeze(1) - back, 0), heard),
        own_last=Neighbours(turns[speaker, (place - 1).clamp(min=0)].unsqueeze(1), later),
        own_speaker=Neighbours(speaker.unsqueeze(1), later),
        turns=Neighbours(turns, torch.arange(turns.shape[1], device=rows.device) < counts.unsqueeze(1)),
    )


class RelationalAttention(nn.Module):
    """Messages along one relation: sum over senders u of softmax_u(LeakyReLU(a . [W h_u; W h_v])) W h_u.

    Args:
        width: D.
        several: False if no node has more than one sender, whose weight is then 1 whatever `a` is.
    """

    def __init__(self, width: int, *, several: bool = True) -> None:
        super().__init__()
        self.message = nn.Linear(width, width, bias=False)
        self.score = nn.Linear(2 * width, 1, bias=False) if several else None

    def forward(self, sender: Tensor, receiver: Tensor, neighbours: Neighbours) -> Tensor:
        """Messages to V receivers, 0 to one without a sender, [V, D].

        Args:
            sender: Nodes that may send, [U, D].
            receiver: Nodes that receive, [V, D].
            neighbours: Rows of `sender` that send to each receiver.
        """
        index, there = neighbours
        sent = self.message(sender)
        if self.score is None:
            return sent[index[:, 0]] * there
        of_sender, of_receiver = self.score.weight[0].chunk(2)
        scores = F.leaky_relu((sent @ of_sender)[index] + (self.message(receiver) @ of_receiver).unsqueeze(1), _SLOPE)
        weights = scores.masked_fill(~there, -1e9).softmax(1) * there
        return (weights.unsqueeze(1) @ sent[index]).squeeze(1)


class GraphLayer(nn.Module):
    """One step of message passing: each node takes LayerNorm(itself + the messages of all relations).

    Args:
        width: D.
        inner: Names of the kinds of inner state: belief, desire, both or none.
        hears_speaker: Let speakers speak to their later turns.
        tells_speaker: Let inner states speak to their speaker; of no use in a last layer.
    """

    def __init__(self, width: int, inner: tuple[str, ...], *, hears_speaker: bool, tells_speaker: bool) -> None:
        super().__init__()
        self.earlier = RelationalAttention(width)
        self.same_turn = RelationalAttention(width, several=len(inner) > 1) if inner else None
        self.own_last = nn.ModuleDict({kind: RelationalAttention(width, several=False) for kind in inner})
        self.from_speaker = RelationalAttention(width, several=False) if hears_speaker else None
        self.to_speaker = RelationalAttention(width) if tells_speaker else None
        self.norm = nn.LayerNorm(width)

    def forward(self, nodes: dict[str, Tensor], graph: Graph) -> dict[str, Tensor]:
        """New nodes by kind: `utterance` and inner states, [N, D] each, and `speaker`, [S, D], where there is one."""
        utterance, heard = nodes["utterance"], dict(nodes)
        heard["utterance"] = utterance + self.earlier(utterance, utterance, graph.earlier)
        if self.same_turn is not None:
            of_turn = [kind for kind in nodes if kind != "speaker"]
            for kind in of_turn:
                others = torch.cat([nodes[other] for other in of_turn if other != kind])
                heard[kind] = heard[kind] + self.same_turn(others, nodes[kind], _side_by_side(len(utterance), others))
        for kind, relation in self.own_last.items():
            heard[kind] = heard[kind] + relation(nodes[kind], nodes[kind], graph.own_last)
        if self.from_speaker is not None:
            spoken_to = self.from_speaker(nodes["speaker"], utterance, graph.own_speaker)
            heard["utterance"] = heard["utterance"] + spoken_to
        if self.to_speaker is not None:
            inner = [nodes[kind] for kind in self.own_last]
            index = torch.cat([graph.turns.sender + number * len(utterance) for number in range(len(inner))], dim=1)
            turns = Neighbours(index, graph.turns.there.repeat(1, len(inner)))
            heard["speaker"] = nodes["speaker"] + self.to_speaker(torch.cat(inner), nodes["speaker"], turns)
        return {kind: self.norm(node) for kind, node in heard.items()}


def _side_by_side(rows: int, others: Tensor) -> Neighbours:
    """The other nodes of the same turn, kinds below each other in `others`."""
    index = torch.arange(len(others), device=others.device).view(-1, rows).T
    return Neighbours(index, torch.ones_like(index, dtype=torch.bool))


class BeliefDesireGraph(ClosedSetSystem):
    """What each turn says, and what its speaker holds and wants, in one graph with a node per speaker.

    Speakers start from one learned vector and hear all their turns' inner states, so that a turn also knows of later
    ones. All inner states are knowledge from a language model.
    """

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        backbone, own = config.backbone, config.system.belief_desire
        width = backbone.hidden
        self.inner = tuple(kind for kind in ("belief", "desire") if getattr(own, kind))
        speaks = own.speaker and bool(self.inner)
        self.standardize = Standardizers(backbone, inputs.widths)
        self.knowledge = Knowledge(inputs.widths)
        self.project = nn.Linear(sum(inputs.widths[name] for name in backbone.modalities), width)
        self.of_inner = nn.ModuleDict({kind: nn.Linear(self.knowledge.width, width) for kind in self.inner})
        self.speaker = nn.Parameter(0.02 * torch.randn(width)) if speaks else None
        self.layers = nn.ModuleList(
            GraphLayer(width, self.inner, hears_speaker=speaks, tells_speaker=speaks and layer + 1 < own.layers)
            for layer in range(own.layers)
        )
        self.head = nn.Linear((1 + len(self.inner)) * width, len(inputs.train_counts))
        self.dropout = Dropout(backbone.dropout)

    def forward(self, batch: Batch) -> Scores:
        graph, known = build_graph(batch, self.config.system.belief_desire.window), self.knowledge(batch)
        nodes = {"utterance": self.project(self.standardize.joined(batch))}
        nodes |= {kind: layer(known[kind]) for kind, layer in self.of_inner.items()}
        nodes = {kind: self.dropout(node) for kind, node in nodes.items()}
        if self.speaker is not None:
            nodes["speaker"] = self.speaker.expand(len(graph.turns.sender), -1)
        for layer in self.layers:
            nodes = layer(nodes, graph)
        joined = torch.cat([nodes[kind] for kind in ("utterance", *self.inner)], dim=1)
        return Scores(self.classes(self.head(self.dropout(joined))))

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.standardize.fit_statistics(features, missing)
        self.knowledge.fit_statistics(features, missing)
