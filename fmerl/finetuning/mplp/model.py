"""MPLP's model: an encoder-decoder, a classifier on the state that predicts the mask of `S feels <mask>`, and prompts.

In the second stage the input begins with two vectors that stand for what the speaker may feel: the experience and the
history prompt, made of the states f that the first stage leaves. The decoder also learns to say the class in other
words: L = CE + λ L_gen, where an utterance's L_gen is the mean cross-entropy of its paraphrase's tokens.

Shapes: n utterances of a pass, Q and L tokens of the longest question and paraphrase, P prompts, M most turns of a
history, K neighbours, U utterances of the corpus, D width, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.mplp.inputs import PromptedTexts
from fmerl.finetuning.mplp.prompts import ExperiencePrompt, HistoryPrompt, nearest
from fmerl.finetuning.packing import Pass, PassMaker
from fmerl.finetuning.system import TunedSystem

_NO_TOKEN = -100


class PromptedOutput(NamedTuple):
    """Outputs for n utterances: those of any system, and the paraphrase's loss."""

    logits: Tensor
    """[n, C]."""
    states: Tensor
    """[n, 1, D]."""
    generation: Tensor
    """L_gen, [n]; zeros where no paraphrase is given."""


@dataclass(frozen=True, eq=False)
class PromptedPass:
    """Inputs of one forward pass."""

    text: Pass
    """What the encoder reads."""
    question: Tensor
    """What the decoder reads before the mask, [n, Q]."""
    asked: Tensor
    """Place of its last token, [n]."""
    paraphrase: Tensor | None
    """What the decoder is to say, [n, L], -100 after its end; None outside the second stage's training."""

    @property
    def rows(self) -> Tensor:
        return self.text.rows

    def to(self, device: torch.device) -> PromptedPass:
        said = None if self.paraphrase is None else self.paraphrase.to(device)
        return PromptedPass(self.text.to(device), self.question.to(device), self.asked.to(device), said)


class MPLP(TunedSystem):
    """Encoder-decoder, classifier and prompts; in the first stage until `begin_stage` says otherwise.

    Args:
        encoder: A Hugging Face encoder-decoder without a head; its output embeddings are its input embeddings.
        config: Settings.
        data: The corpus.
        texts: Its texts as the model reads them.
    """

    pretrained: ClassVar[tuple[str, ...]] = ("encoder", "head")
    makes_features: ClassVar[bool] = False
    states: Tensor
    """f of every utterance when the first stage ended, [U, D]; zeros before."""
    neighbours: Tensor
    """Rows of the training utterances nearest to each, [U, K]."""
    places: Tensor
    """Places of the prompts in the second stage's inputs, [U, P]."""
    earlier: Tensor
    """Rows of the turns of the history, oldest first, [U, M]."""
    own: Tensor
    """True at the speaker's own turns, [U, M]."""
    turns: Tensor
    """How many turns there are, [U]."""

    def __init__(self, encoder: Any, config: TuningConfig, data: TuningData, texts: PromptedTexts) -> None:
        super().__init__()
        settings, width = config.mplp, encoder.config.hidden_size
        self.encoder, self._settings, self._texts, self._learned = encoder, settings, texts, data.learned
        self._train, self._prompted = data.rows("train"), False
        near = min(settings.neighbours, len(self._train) - settings.exclude_itself)
        hidden, out = nn.Linear(width, width), nn.Linear(width, len(data.classes))
        self.head = nn.Sequential(hidden, nn.Dropout(config.dropout), nn.GELU(), out)
        self.prompts = nn.ModuleDict()
        if near:
            self.prompts["experience"] = ExperiencePrompt(width)
        if settings.history != "none":
            self.prompts["history"] = HistoryPrompt(width, settings.lstm_dropout)
        self.register_buffer("states", torch.zeros(len(data.utterances), width))
        self.register_buffer("neighbours", torch.zeros(len(data.utterances), near, dtype=torch.int64))
        for name, values in texts.history(settings).items():
            self.register_buffer(name, values, persistent=False)
        self.register_buffer("places", torch.tensor(texts.places, dtype=torch.int64), persistent=False)
        self.begin_stage(1)

    def begin_stage(self, stage: int) -> None:
        """Take up stage 1 or 2; weights that it does not use have no gradient."""
        self._prompted = stage == 2
        self.prompts.requires_grad_(self._prompted)

    def remember(self, states: Tensor) -> None:
        """Keep the first stage's states [U, D], on the CPU, for the prompts, and find their neighbours in train."""
        self.states.copy_(states)
        if count := self.neighbours.shape[1]:
            self.neighbours.copy_(nearest(states, self._train, count, self._settings.exclude_itself))

    def passes(self, maker: PassMaker, data: TuningData, rows: Sequence[int]) -> Iterator[PromptedPass]:
        """Forward passes over these rows; the decoder's tokens count, too."""
        sequences = self._texts.second_stage if self._prompted else self._texts.first_stage
        questions = self._texts.questions
        said: dict[int, list[int]] = {}
        if self.training and self._prompted and self._settings.generation_weight:
            said = {row: self._texts.paraphrase(row, int(self._learned[row])) for row in rows}
        more = {row: len(questions[row]) + len(said.get(row, ())) for row in rows}
        for text in maker.passes(sequences, rows, more):
            members = text.rows.tolist()
            yield PromptedPass(
                text=text,
                question=_padded([questions[row] for row in members], 0),
                asked=torch.tensor([len(questions[row]) - 1 for row in members]),
                paraphrase=_padded([said[row] for row in members], _NO_TOKEN) if said else None,
            )

    def forward(self, batch: PromptedPass) -> PromptedOutput:  # type: ignore[override]
        """Outputs in the order of the pass's rows."""
        mask, each = batch.text.mask, torch.arange(len(batch.rows), device=batch.rows.device)
        embedded = self.encoder.get_input_embeddings()(batch.text.ids)
        if self._prompted:
            for place, prompt in enumerate(self.prompted(batch.rows)):
                embedded = embedded.index_put((each, self.places[batch.rows, place]), prompt)
        read = self.encoder.get_encoder()(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        states = self._decoded(read, mask, batch.question)[each, batch.asked]
        logits = self.head(states)
        if batch.paraphrase is None:
            return PromptedOutput(logits, states.unsqueeze(1), logits.new_zeros(len(logits)))
        return PromptedOutput(logits, states.unsqueeze(1), self._generation(read, mask, batch.paraphrase))

    def loss(self, output: Any, label: Tensor) -> Tensor:
        entropy = F.cross_entropy(output.logits, label, reduction="sum")
        return entropy + self._settings.generation_weight * output.generation.sum()

    def prompted(self, rows: Tensor) -> list[Tensor]:
        """Prompts of these rows, experience before history, each [n, D], in float32."""
        state, found = self.states[rows], list[Tensor]()
        with torch.autocast(state.device.type, enabled=False):
            if "experience" in self.prompts:
                found.append(self.prompts["experience"](state, self.states[self.neighbours[rows]]))
            if "history" in self.prompts:
                there = torch.arange(self.earlier.shape[1], device=rows.device) < self.turns[rows].unsqueeze(1)
                earlier = self.states[self.earlier[rows]] * there.unsqueeze(2)
                counts = self.turns[rows] if self._settings.masked else self.turns.new_full(rows.shape, there.shape[1])
                found.append(self.prompts["history"](state, earlier, self.own[rows], counts))
        return found

    def _decoded(self, read: Tensor, mask: Tensor | None, ids: Tensor) -> Tensor:
        """The decoder's states of these tokens; what is behind a token is not seen by it, so padding needs no mask."""
        output = self.encoder(encoder_outputs=(read,), attention_mask=mask, decoder_input_ids=ids, use_cache=False)
        states: Tensor = output.last_hidden_state
        return states

    def _generation(self, read: Tensor, mask: Tensor | None, said: Tensor) -> Tensor:
        """Mean cross-entropy of each paraphrase's tokens, [n]."""
        start = said.new_full((len(said), 1), self.encoder.config.decoder_start_token_id)
        states = self._decoded(read, mask, torch.cat([start, said[:, :-1]], dim=1).clamp(min=0))
        logits = F.linear(states, self.encoder.get_input_embeddings().weight).float()
        losses = F.cross_entropy(logits.flatten(0, 1), said.flatten(), ignore_index=_NO_TOKEN, reduction="none")
        return losses.view_as(said).sum(1) / (said != _NO_TOKEN).sum(1)


def _padded(tokens: Sequence[list[int]], value: int) -> Tensor:
    return pad_sequence([torch.tensor(each) for each in tokens], batch_first=True, padding_value=value)
