"""Packed recurrence and attention against one sequence at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from fmerl.config import TrainingConfig
from fmerl.model.baselines.dialogue_rnn import PartyTracker
from fmerl.model.batch import Batch
from fmerl.model.sequences import Recurrent, attend, by_dialogue, by_speaker
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData

MakeData = Callable[..., ConversationData]
D = 6


def packed(data: ConversationData) -> Batch:
    (batch,) = BatchLoader(data, ("text",), TrainingConfig(), torch.device("cpu")).in_order(10_000)
    return batch


def dialogues(batch: Batch) -> list[Tensor]:
    """Rows of each dialogue in the order of turns."""
    owner = (batch.position == 0).cumsum(0)
    return [(owner == each).nonzero().squeeze(1) for each in owner.unique()]


def test_recurrence_over_dialogues_and_over_speakers(make_data: MakeData) -> None:
    torch.manual_seed(0)
    batch = packed(make_data())
    x = torch.randn(len(batch.label), D)
    layer = nn.GRU(D, D, bidirectional=True)
    recurrent = Recurrent(layer)
    by_turn, by_person = recurrent(x, by_dialogue(batch)), recurrent(x, by_speaker(batch))
    people = 0
    for rows in dialogues(batch):
        torch.testing.assert_close(by_turn[rows], layer(x[rows])[0])
        for person in batch.speaker[rows].unique():
            own = rows[batch.speaker[rows] == person]
            torch.testing.assert_close(by_person[own], layer(x[own])[0])
            people += 1
    assert people > len(dialogues(batch)), "some dialogue has two speakers"


def test_attention_ends_with_the_dialogue(make_data: MakeData) -> None:
    torch.manual_seed(0)
    batch = packed(make_data())
    query, key, value = torch.randn(3, len(batch.label), D)
    attended = attend(query, key, value, batch, heads=2)
    for rows in dialogues(batch):
        for head in torch.arange(D).chunk(2):
            q, k, v = (x[rows][:, head] for x in (query, key, value))
            expected = torch.softmax(q @ k.T / np.sqrt(D / 2), dim=1) @ v
            torch.testing.assert_close(attended[rows][:, head], expected)


def by_hand(tracker: PartyTracker, x: Tensor, speaker: list[int]) -> Tensor:
    """Majumder et al. 2019, equations 1 to 7, for one dialogue."""
    conversation = emotion = torch.zeros(1, tracker.width)
    parties = {who: torch.zeros(1, tracker.width) for who in speaker}
    past: list[Tensor] = []
    emotions = []
    for u, who in zip(x.split(1), speaker, strict=True):
        context = torch.zeros(1, tracker.width)
        if past:
            history = torch.cat(past)
            context = torch.softmax(tracker.attention(u) @ history.T, dim=1) @ history
        conversation = tracker.conversation(torch.cat([u, parties[who]], dim=1), conversation)
        parties[who] = tracker.party(torch.cat([u, context], dim=1), parties[who])
        emotion = tracker.emotion(parties[who], emotion)
        past.append(conversation)
        emotions.append(emotion)
    return torch.cat(emotions)


def test_party_states_follow_the_papers_equations(make_data: MakeData) -> None:
    torch.manual_seed(0)
    batch = packed(make_data())
    x = torch.randn(len(batch.label), D)
    tracker = PartyTracker(D, 4)
    ahead = tracker(x, batch.speaker, by_dialogue(batch))
    back = tracker(x, batch.speaker, by_dialogue(batch, backward=True))
    for rows in dialogues(batch):
        torch.testing.assert_close(ahead[rows], by_hand(tracker, x[rows], batch.speaker[rows].tolist()))
        reversed_ = rows.flip(0)
        torch.testing.assert_close(back[reversed_], by_hand(tracker, x[reversed_], batch.speaker[reversed_].tolist()))
