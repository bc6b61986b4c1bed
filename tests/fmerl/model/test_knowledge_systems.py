"""Systems that read knowledge against slow readings of their equations: a turn, a pair and an edge at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from fmerl.config import KNOWLEDGE, RELATIONS, CellConfig
from fmerl.model import create_system
from fmerl.model.baselines.belief_desire import BeliefDesireGraph, GraphLayer, RelationalAttention
from fmerl.model.baselines.ckcl import CKCL, rarity, summed_contrast
from fmerl.model.baselines.cosmic import COSMIC, CommonsenseTracker
from fmerl.model.batch import Batch
from fmerl.model.system import ModelInputs, System
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData
from fmerl.training.loop import build_model

MakeData = Callable[..., ConversationData]


@pytest.fixture
def build(make_data: MakeData, tiny: CellConfig, anchors: np.ndarray) -> Callable[..., tuple[System, Batch]]:
    """A system, without dropout unless given, and all of a small corpus as one batch."""

    def built(name: str, **changes: object) -> tuple[System, Batch]:
        data = make_data()
        config = tiny.changed(**{"system__name": name, "backbone__dropout": 0.0, **changes})
        (batch,) = BatchLoader(data, config.tables, config.training, torch.device("cpu")).in_order(10_000)
        return build_model(config, data, anchors, 0).eval(), batch

    return built


def dialogues(batch: Batch) -> list[Tensor]:
    """Rows of each dialogue, in the order of time."""
    starts = torch.cat([(batch.position == 0).nonzero()[:, 0], torch.tensor([len(batch.position)])])
    return [torch.arange(*pair) for pair in pairwise(starts.tolist())]


def slow_tracker(
    tracker: CommonsenseTracker, x: Tensor, known: dict[str, Tensor], speaker: Tensor, *, context: bool
) -> Tensor:
    """Emotion states of one dialogue, turn by turn and party by party; parties are all that ever speak in it."""
    parties = set(speaker.tolist())
    zero = x.new_zeros(1, tracker.state)
    external, internal, intent = (dict.fromkeys(parties, zero) for _ in range(3))
    history: list[Tensor] = []
    emotion, emotions = x.new_zeros(1, tracker.emotion_width), []
    for turn, person in enumerate(speaker.tolist()):
        said, of = x[turn : turn + 1], {name: values[turn : turn + 1] for name, values in known.items()}
        before = history[-1] if history else zero
        conversation = tracker.conversation(torch.cat([said, internal[person], external[person]], 1), before)
        seen = zero
        if history:
            past = torch.cat(history)
            if tracker.simple:
                scores = past @ tracker.attention.weight[0]
            else:
                scores = torch.tanh(past @ tracker.attention(said)[0])
            seen = (torch.softmax(scores, 0) @ past).unsqueeze(0)
        shown = tracker.external(torch.cat([said, of["xReact"], seen], 1), external[person])
        felt = tracker.internal(torch.cat([of["xEffect"], seen], 1), internal[person])
        intent[person] = tracker.intent(torch.cat([of["xIntent"], felt], 1), intent[person])
        for other in parties - {person}:
            external[other] = tracker.listener_external(torch.cat([said, of["oReact"], shown], 1), external[other])
            internal[other] = tracker.listener_internal(torch.cat([of["oEffect"], felt], 1), internal[other])
        external[person], internal[person] = shown, felt
        emotion = tracker.emotion(torch.cat([said, felt, shown, intent[person]], 1), emotion)
        emotions.append(emotion)
        if context:
            history.append(conversation)
    return torch.cat(emotions)


@pytest.mark.parametrize("attention", ["simple", "general2"])
@pytest.mark.parametrize("knowledge", [True, False])
@pytest.mark.parametrize("context", [True, False])
def test_cosmic_is_its_equations_turn_by_turn(
    build: Callable[..., tuple[System, Batch]], attention: str, knowledge: bool, context: bool
) -> None:
    general = attention == "general2"
    model, batch = build("COSMIC", system__cosmic__context=attention, system__cosmic__matching=general)
    assert isinstance(model, COSMIC)
    with torch.no_grad():
        x = model.project(torch.cat(list(model.standardize(batch).values()), 1))
        known = {name: values if knowledge else 0 * values for name, values in model.knowledge(batch).items()}
        hidden = torch.empty(len(x), model.hidden.out_features)
        for rows in dialogues(batch):
            ways = []
            for tracker, order in ((model.ahead, rows), (model.back, rows.flip(0))):
                own = {name: values[order] for name, values in known.items()}
                states = slow_tracker(tracker, x[order], own, batch.speaker[order], context=context)
                ways.append(states if order is rows else states.flip(0))
            emotion = torch.cat(ways, 1)
            if model.matching is not None:
                emotion = torch.stack(
                    [
                        torch.softmax(torch.tanh(emotion @ model.matching.transform(turn)), 0) @ emotion
                        for turn in emotion
                    ]
                )
            hidden[rows] = torch.relu(model.hidden(emotion))
        found = model.classify(batch, context=context, knowledge=knowledge)
    torch.testing.assert_close(found.hidden, hidden, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.scores, model.head(hidden), rtol=1e-4, atol=1e-6)


def test_relations_keep_their_order_and_a_missing_answer_is_the_mean(
    build: Callable[..., tuple[System, Batch]],
) -> None:
    model, batch = build("COSMIC")
    assert isinstance(model, COSMIC)
    known = model.knowledge(batch)
    assert tuple(known) == RELATIONS
    whole = model.knowledge.standardize(batch.features[KNOWLEDGE])
    there = batch.present[KNOWLEDGE][:, 0] == 1
    assert not there.all()
    for number, values in enumerate(known.values()):
        assert torch.equal(values[there], whole[there, 2 * number : 2 * number + 2])
        assert not values[~there].any()


def test_summed_contrast_pair_by_pair() -> None:
    torch.manual_seed(0)
    z, label = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 0, 2, 1, 0])
    weight = torch.tensor([1.0, 2.0, 1.0, 5.0, 2.0, 1.0])
    unit = (z / z.norm(dim=1, keepdim=True)).tolist()
    similar = [[math.exp(sum(a * b for a, b in zip(p, q, strict=True)) / 0.3) for q in unit] for p in unit]
    total = 0.0
    for i in range(6):
        positives = [j for j in range(6) if j != i and label[j] == label[i]]
        if positives:  # else the logarithm is infinite, and counts 0
            share = sum(similar[i][j] for j in positives) / sum(similar[i][j] for j in range(6) if j != i)
            total -= float(weight[i]) * math.log(share)
    assert summed_contrast(z, label, weight, 0.3).item() == pytest.approx(total / 6)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_without_a_pair_nothing_is_contrasted(rows: int) -> None:
    z = torch.randn(rows, 4, requires_grad=True)
    loss = summed_contrast(z, torch.arange(rows), torch.ones(rows), 0.07)
    assert loss.item() == 0
    (gradient,) = torch.autograd.grad(loss, z)
    assert not gradient.any()


def test_rarity_is_the_logarithm_of_the_inverse_share() -> None:
    same = torch.tensor([1.0, 0.0, 1.0, 1.0])
    assert rarity(same).tolist() == pytest.approx([math.log(4 / 3), math.log(4), math.log(4 / 3), math.log(4 / 3)])
    assert rarity(torch.ones(3)).tolist() == [0, 0, 0]


def test_pseudo_labels_tell_whether_context_and_knowledge_change_the_prediction(
    build: Callable[..., tuple[System, Batch]],
) -> None:
    model, batch = build("CKCL", backbone__dropout=0.5)
    assert isinstance(model, CKCL)
    with torch.no_grad():  # a head that tells classes apart, so that passes differ
        model.head.weight.mul_(30)
        bare = [model.classify(batch, context=False), model.classify(batch, knowledge=False)]
    torch.manual_seed(1)
    output = model.train()(batch)
    assert model.training
    assert all(module.training for module in model.modules())
    assert output.scores.requires_grad
    for found, other in zip((output.without_context, output.without_knowledge), bare, strict=True):
        assert not found.requires_grad
        assert torch.equal(found == 1, output.scores.argmax(1) == other.scores.argmax(1))
        assert 0 < found.mean() < 1
    torch.manual_seed(1)
    torch.testing.assert_close(model.classify(batch).scores, output.scores)


def test_ckcls_loss_is_the_sum_of_its_parts(build: Callable[..., tuple[System, Batch]]) -> None:
    weights = {"emotion_weight": 0.5, "context_weight": 0.25, "knowledge_weight": 2.0}
    fields = {f"system__ckcl__{name}": value for name, value in weights.items()}
    model, batch = build("CKCL", **fields, system__ckcl__contrasted="hidden")
    assert isinstance(model, CKCL)
    output = model(batch)
    same = [(torch.arange(len(batch.label)) % number == 0).float() for number in (2, 3)]
    output = output._replace(without_context=same[0], without_knowledge=same[1])
    known = batch.label >= 0
    label, chances = batch.label[known], output.scores[known].log_softmax(1)
    counts = torch.bincount(label).float()  # of the whole corpus, as the model was built on
    parts = [summed_contrast(chances, label, (counts.sum() / counts).log()[label], 0.07)]
    parts += [summed_contrast(output.hidden[known], each[known], rarity(each[known]), 0.07) for each in same]
    expected = -chances[torch.arange(len(label)), label].mean()
    contrast = (torch.stack(parts) * torch.tensor(list(weights.values()))).sum()
    assert all(part > 0 for part in parts)
    losses = model.loss(output, batch)
    assert losses.total.item() == pytest.approx((expected + contrast).item(), rel=1e-5)
    assert losses.contrastive.item() == pytest.approx(contrast.item(), rel=1e-5)


def test_the_bare_pass_reads_neither_context_nor_knowledge(build: Callable[..., tuple[System, Batch]]) -> None:
    model, batch = build("CKCL", system__ckcl__trained_pass="bare")
    assert isinstance(model, CKCL)
    assert torch.equal(model(batch).scores, model.classify(batch, context=False, knowledge=False).scores)
    assert not torch.equal(model(batch).scores, model.classify(batch).scores)


def message(relation: RelationalAttention, senders: list[Tensor], receiver: Tensor) -> Tensor:
    """Messages of one relation to one node."""
    if not senders:
        return torch.zeros_like(receiver)
    sent = [relation.message.weight @ sender for sender in senders]
    if relation.score is None:
        (only,) = sent
        return only
    own = relation.message.weight @ receiver
    scores = [float(relation.score.weight[0] @ torch.cat([each, own])) for each in sent]
    powers = [math.exp(score if score > 0 else 0.2 * score) for score in scores]
    return sum((power / sum(powers) * each for power, each in zip(powers, sent, strict=True)), torch.zeros(len(own)))


@pytest.mark.parametrize("without", [(), ("belief",), ("desire",), ("speaker",), ("belief", "desire")], ids="-".join)
def test_the_graph_is_its_equations_edge_by_edge(
    build: Callable[..., tuple[System, Batch]], without: tuple[str, ...]
) -> None:
    fields = {f"system__belief_desire__{name}": False for name in without}
    model, batch = build("belief-desire graph", system__belief_desire__window=2, **fields)
    assert isinstance(model, BeliefDesireGraph)
    kinds = ("utterance", *model.inner)
    with torch.no_grad():
        known = model.knowledge(batch)
        start = {"utterance": model.project(torch.cat(list(model.standardize(batch).values()), 1))}
        start |= {kind: layer(known[kind]) for kind, layer in model.of_inner.items()}
        expected = torch.empty(len(batch.label), 4)
        for rows in dialogues(batch):
            people = batch.speaker[rows].tolist()
            nodes = {(kind, turn): start[kind][row] for kind in kinds for turn, row in enumerate(rows)}
            if model.speaker is not None:
                nodes |= {("speaker", person): model.speaker for person in people}
            for layer in model.layers:
                assert isinstance(layer, GraphLayer)
                new = {}
                for (kind, place), node in nodes.items():
                    heard = node
                    if kind == "speaker":
                        turns = [turn for turn, person in enumerate(people) if person == place]
                        told = [nodes[inner, turn] for inner in model.inner for turn in turns]
                        heard = heard + (0 if layer.to_speaker is None else message(layer.to_speaker, told, node))
                    else:
                        earlier = [turn for turn in range(place) if people[turn] == people[place]]
                        if kind == "utterance":
                            window = [nodes["utterance", turn] for turn in range(max(0, place - 2), place)]
                            heard = heard + message(layer.earlier, window, node)
                            if layer.from_speaker is not None and earlier:
                                heard = heard + message(layer.from_speaker, [nodes["speaker", people[place]]], node)
                        elif earlier:
                            own_last = layer.own_last[kind]
                            assert isinstance(own_last, RelationalAttention)
                            heard = heard + message(own_last, [nodes[kind, earlier[-1]]], node)
                        if layer.same_turn is not None:
                            others = [nodes[other, place] for other in kinds if other != kind]
                            heard = heard + message(layer.same_turn, others, node)
                    new[kind, place] = layer.norm(heard)
                nodes = new
            for turn, row in enumerate(rows):
                expected[row] = model.head(torch.cat([nodes[kind, turn] for kind in kinds]))
        found = model(batch).scores
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("without", [("belief",), ("desire",), ("speaker",), ("belief", "desire")], ids="-".join)
def test_an_ablated_graph_keeps_no_dead_weight(
    build: Callable[..., tuple[System, Batch]], without: tuple[str, ...]
) -> None:
    model, batch = build("belief-desire graph", **{f"system__belief_desire__{name}": False for name in without})
    model.loss(model(batch), batch).total.backward()
    dead = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert dead == []


def count(name: str, width: int, classes: int, knowledge: int, **changes: object) -> int:
    config = CellConfig().changed(
        system__name=name, backbone__hidden=width, backbone__heads=2, backbone__modalities=("text",), **changes
    )
    with torch.device("meta"):
        model = create_system(
            config,
            ModelInputs(
                widths={"text": 1024, KNOWLEDGE: knowledge * len(RELATIONS)},
                n_speakers=2,
                anchors=torch.empty(classes, 8),
                vad_range=(0.0, 5.0),
                train_counts=[1] * classes,
            ),
        )
    return sum(parameter.numel() for parameter in model.parameters())


def gru(inputs: int, state: int) -> int:
    return 3 * state * (inputs + state + 2)


@pytest.mark.parametrize("name", ["COSMIC", "CKCL"])
def test_cosmic_has_the_published_shapes(name: str) -> None:
    """RoBERTa-large's 1,024 and COMET's 768 values, 100 per utterance, states of 150, emotion states of 450; MELD."""
    direction = (
        150 + gru(100 + 300, 150) + 2 * gru(100 + 768 + 150, 150) + 3 * gru(768 + 150, 150) + gru(100 + 450, 450)
    )
    of_ends = 1024 * 100 + 100 + 900 * 100 + 100 + 100 * 7 + 7
    assert count(name, 100, 7, 768) == 2 * direction + of_ends
    assert count(name, 100, 7, 768) == 8_390_807


def test_the_graph_has_as_many_weights_as_relations_and_attentions() -> None:
    d, e = 64, 384
    attention, plain = d * d + 2 * d, d * d
    layers = 2 * (2 * attention + 3 * plain + 2 * d) + attention
    ends = 1024 * d + d + 2 * (e * d + d) + d + 3 * d * 7 + 7
    assert count("belief-desire graph", d, 7, e) == layers + ends
