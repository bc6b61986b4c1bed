"""COSMIC: parties' states driven by commonsense knowledge (Ghosal et al. 2020).

Shapes: N utterances of B dialogues, b of them at one step, P parties, t earlier steps, D width of an utterance, E of a
relation's vector, S of a state, M of the emotion state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fmerl.config import CellConfig
from fmerl.model.baselines.classifier import ClosedSetSystem
from fmerl.model.batch import Batch
from fmerl.model.features import Standardizers
from fmerl.model.knowledge import Knowledge
from fmerl.model.layers import Dropout
from fmerl.model.sequences import Sequences, by_dialogue
from fmerl.model.system import ModelInputs

_READ = ("xIntent", "xEffect", "xReact", "oEffect", "oReact")


class CommonsenseTracker(nn.Module):
    """One direction: [N, D] utterances and [N, E] by relation -> emotion states [N, M].

    Args:
        width: D.
        knowledge: E.
        state: S.
        emotion: M.
        attention: `COSMICConfig.context`.
        dropout: Share of each new state that is dropped.
    """

    def __init__(self, width: int, knowledge: int, state: int, emotion: int, attention: str, dropout: float) -> None:
        super().__init__()
        self.state, self.emotion_width = state, emotion
        simple = attention == "simple"
        self.attention = nn.Linear(state, 1, bias=False) if simple else nn.Linear(width, state)
        self.simple = simple
        self.conversation = nn.GRUCell(width + 2 * state, state)
        self.external = nn.GRUCell(width + knowledge + state, state)
        self.internal = nn.GRUCell(knowledge + state, state)
        self.listener_external = nn.GRUCell(width + knowledge + state, state)
        self.listener_internal = nn.GRUCell(knowledge + state, state)
        self.intent = nn.GRUCell(knowledge + state, state)
        self.emotion = nn.GRUCell(width + 3 * state, emotion)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Tensor, known: Mapping[str, Tensor], speaker: Tensor, sequences: Sequences, *, context: bool = True
    ) -> Tensor:
        """Emotion states, [N, M].

        Args:
            x: Utterances, [N, D].
            known: Vectors by relation, [N, E] each.
            speaker: Speaker index within the dialogue, [N].
            sequences: The dialogues in this direction.
            context: Keep the conversation's states; without them each turn starts from none, and parties alone
                remember.
        """
        sizes = sequences.sizes.tolist()
        parties = int(speaker.max()) + 1
        conversation = x.new_zeros(sizes[0], self.state)
        emotion = x.new_zeros(sizes[0], self.emotion_width)
        external, internal, intent = x.new_zeros(3, sizes[0], parties, self.state).unbind()
        past = x.new_zeros(sizes[0], 0, self.state)
        emotions: list[Tensor] = []
        inputs = (x, speaker, *(known[relation] for relation in _READ))
        steps = zip(*(each[sequences.order].split(sizes) for each in inputs), strict=True)
        for (said, who, x_intent, x_effect, x_react, o_effect, o_react), others in zip(
            steps, _listeners(speaker, sequences, parties), strict=True
        ):
            # Longest dialogue first: the dialogues that have ended are the last ones.
            going = len(said)
            states = (conversation, emotion, external, internal, intent, past)
            conversation, emotion, external, internal, intent, past = (each[:going] for each in states)
            own = (torch.arange(going, device=x.device), who)
            seen = self._context(said, past)
            conversation = self._next(self.conversation, [said, internal[own], external[own]], conversation)
            shown = self._next(self.external, [said, x_react, seen], external[own])
            felt = self._next(self.internal, [x_effect, seen], internal[own])
            meant = self._next(self.intent, [x_intent, felt], intent[own])
            at = others[0]
            shown_to = self._next(self.listener_external, [said[at], o_react[at], shown[at]], external[others])
            felt_by = self._next(self.listener_internal, [o_effect[at], felt[at]], internal[others])
            external = external.index_put(own, shown).index_put(others, shown_to)
            internal = internal.index_put(own, felt).index_put(others, felt_by)
            intent = intent.index_put(own, meant)
            emotion = self._next(self.emotion, [said, felt, shown, meant], emotion)
            emotions.append(emotion)
            if context:
                past = torch.cat([past, conversation.unsqueeze(1)], dim=1)
            else:
                conversation = torch.zeros_like(conversation)
        return torch.cat(emotions)[sequences.place]

    def _next(self, cell: nn.Module, inputs: list[Tensor], before: Tensor) -> Tensor:
        state: Tensor = self.dropout(cell(torch.cat(inputs, dim=1), before))
        return state

    def _context(self, said: Tensor, past: Tensor) -> Tensor:
        """Attention of the utterance to the conversation's states before it, [b, t, S]; zeros at its start, [b, S]."""
        if self.simple:
            scores = self.attention(past).squeeze(2)
        else:
            scores = torch.tanh((past @ self.attention(said).unsqueeze(2)).squeeze(2))
        return (torch.softmax(scores, dim=1).unsqueeze(1) @ past).squeeze(1)


def _listeners(speaker: Tensor, sequences: Sequences, parties: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Sequence and party, by step, of those who do not speak at it and will again: nobody asks for the others' states.

    Args:
        speaker: Speaker index within the dialogue, [N].
        sequences: The dialogues in one direction.
        parties: P.
    """
    who, sizes = speaker[sequences.order], sequences.sizes.to(speaker.device)
    step = torch.arange(len(sizes), device=who.device).repeat_interleave(sizes)
    row = torch.arange(len(who), device=who.device)
    sequence = row - (sizes.cumsum(0) - sizes)[step]
    last = who.new_full((int(sequences.sizes[0]) * parties,), -1)
    last = last.scatter_reduce(0, sequence * parties + who, step, "amax").view(-1, parties)
    listening = last[sequence] > step.unsqueeze(1)
    listening[row, who] = False
    row, party = listening.nonzero(as_tuple=True)
    counts = torch.bincount(step[row], minlength=len(sizes)).tolist()
    return zip(sequence[row].split(counts), party.split(counts), strict=True)


class MatchingAttention(nn.Module):
    """Attention from each turn to all of its dialogue by the tanh of their product (general2), [N, D] -> [N, D]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.transform = nn.Linear(width, width)

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        rows = [dialogues * turns for dialogues, turns in batch.runs]
        attended = []
        for query, key, run in zip(self.transform(x).split(rows), x.split(rows), batch.runs, strict=True):
            key = key.view(*run, -1)
            weights = torch.tanh(query.view(*run, -1) @ key.transpose(1, 2)).softmax(2)
            attended.append((weights @ key).flatten(0, 1))
        return torch.cat(attended)


class COSMICOutput(NamedTuple):
    """Output for N utterances."""

    scores: Tensor
    """Logits, [N, C]."""
    hidden: Tensor
    """Representations that the classifier reads, [N, D]."""


class COSMIC(ClosedSetSystem):
    """Trackers in both directions over all modalities side by side, with knowledge from a language model, not COMET."""

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        backbone, own = config.backbone, config.system.cosmic
        width, emotion = backbone.hidden, 2 * own.emotion
        self.standardize = Standardizers(backbone, inputs.widths)
        self.knowledge = Knowledge(inputs.widths)
        self.project = nn.Linear(sum(inputs.widths[name] for name in backbone.modalities), width)
        sizes = (width, self.knowledge.width, own.state, own.emotion)
        self.ahead, self.back = (CommonsenseTracker(*sizes, own.context, backbone.dropout) for _ in range(2))
        self.matching = MatchingAttention(emotion) if own.matching else None
        self.hidden = nn.Linear(emotion, width)
        self.head = nn.Linear(width, len(inputs.train_counts))
        self.dropout = Dropout(backbone.dropout)

    def forward(self, batch: Batch) -> COSMICOutput:
        return self.classify(batch)

    def classify(self, batch: Batch, *, context: bool = True, knowledge: bool = True) -> COSMICOutput:
        """Output with or without the conversation's states, and with knowledge or zeros in its place."""
        x, known = self.project(self.standardize.joined(batch)), self.knowledge(batch)
        if not knowledge:
            known = {relation: torch.zeros_like(vectors) for relation, vectors in known.items()}
        directions = ((self.ahead, False), (self.back, True))
        emotion = self.dropout(
            torch.cat(
                [
                    tracker(x, known, batch.speaker, by_dialogue(batch, backward=backward), context=context)
                    for tracker, backward in directions
                ],
                dim=1,
            )
        )
        if self.matching is not None:
            emotion = self.matching(emotion, batch)
        hidden = self.dropout(torch.relu(self.hidden(emotion)))
        return COSMICOutput(self.classes(self.head(hidden)), hidden)

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.standardize.fit_statistics(features, missing)
        self.knowledge.fit_statistics(features, missing)
