"""DialogueRNN: an attentive RNN that tracks each party of a conversation (Majumder et al. 2019).

Shapes: N utterances of B dialogues, D width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fmerl.config import CellConfig
from fmerl.model.baselines.classifier import ClosedSetSystem, Scores
from fmerl.model.batch import Batch
from fmerl.model.features import Standardizers
from fmerl.model.layers import Dropout
from fmerl.model.sequences import Sequences, attend, by_dialogue
from fmerl.model.system import ModelInputs


class PartyTracker(nn.Module):
    """One direction: a state of the conversation, one of each party, and one of the emotion, [N, D_in] -> [N, D].

    Args:
        width_in: D_in.
        width: D of all three states.
    """

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.attention = nn.Linear(width_in, width, bias=False)
        self.conversation = nn.GRUCell(width_in + width, width)
        self.party = nn.GRUCell(width_in + width, width)
        self.emotion = nn.GRUCell(width, width)

    def forward(self, x: Tensor, speaker: Tensor, sequences: Sequences) -> Tensor:
        sizes = sequences.sizes.tolist()
        conversation = emotion = x.new_zeros(sizes[0], self.width)
        parties = x.new_zeros(sizes[0], int(speaker.max()) + 1, self.width)
        past = x.new_zeros(sizes[0], 0, self.width)
        emotions: list[Tensor] = []
        steps = zip(x[sequences.order].split(sizes), speaker[sequences.order].split(sizes), strict=True)
        for utterance, who in steps:
            # Longest dialogue first: the dialogues that have ended are the last ones.
            going = len(utterance)
            conversation, emotion, parties, past = (state[:going] for state in (conversation, emotion, parties, past))
            dialogue = torch.arange(going, device=x.device)
            own = parties[dialogue, who]
            context = self._context(utterance, past)
            conversation = self.conversation(torch.cat([utterance, own], dim=1), conversation)
            own = self.party(torch.cat([utterance, context], dim=1), own)
            parties = parties.index_put((dialogue, who), own)
            emotion = self.emotion(own, emotion)
            past = torch.cat([past, conversation.unsqueeze(1)], dim=1)
            emotions.append(emotion)
        return torch.cat(emotions)[sequences.place]

    def _context(self, utterance: Tensor, past: Tensor) -> Tensor:
        """Attention of the utterance to the conversation's states before it, [B, t, D]; zeros at its start."""
        weights = torch.softmax((past @ self.attention(utterance).unsqueeze(2)).squeeze(2), dim=1)
        return (weights.unsqueeze(1) @ past).squeeze(1)


class DialogueEncoder(nn.Module):
    """Party trackers in both directions and attention over all emotion states, [N, D_in] -> [N, D]."""

    def __init__(self, width_in: int, width: int, dropout: float) -> None:
        super().__init__()
        self.forward_tracker = PartyTracker(width_in, width // 2)
        self.backward_tracker = PartyTracker(width_in, width // 2)
        self.attention = nn.Linear(width, width, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        ahead = self.forward_tracker(x, batch.speaker, by_dialogue(batch))
        back = self.backward_tracker(x, batch.speaker, by_dialogue(batch, backward=True))
        emotion = self.dropout(torch.cat([ahead, back], dim=1))
        return attend(self.attention(emotion), emotion, emotion, batch, scale=1.0)


class DialogueRNN(ClosedSetSystem):
    """DialogueRNN, bidirectional with attention, on all modalities side by side."""

    def __init__(self, config: CellConfig, inputs: ModelInputs) -> None:
        super().__init__(config, inputs)
        width, dropout = config.backbone.hidden, config.backbone.dropout
        self.standardize = Standardizers(config.backbone, inputs.widths)
        self.encoder = DialogueEncoder(sum(inputs.widths.values()), width, dropout)
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), Dropout(dropout), nn.Linear(width, len(inputs.train_counts))
        )

    def forward(self, batch: Batch) -> Scores:
        return Scores(self.classes(self.head(self.encoder(self.standardize.joined(batch), batch))))

    def fit_statistics(self, features: Mapping[str, Tensor], missing: Mapping[str, Tensor]) -> None:
        self.standardize.fit_statistics(features, missing)
