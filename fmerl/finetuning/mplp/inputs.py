"""MPLP's texts as tokens: what its encoder reads, what its decoder is asked, and what it learns to say.

With `<s>` and `</s>` for what the tokenizer puts around a text, S for the speaker and X, H for the places of the
experience and the history prompt:

| | tokens |
|---|---|
| first stage | `<s> S : earlier … * S : text * </s>` |
| second stage | `<s> S may feel X , S may feel H </s> S : earlier … * S : text * </s>` |
| question | `<s> S feels <mask>` |
| paraphrase | `<s> S is class , gloss </s>` |

Earlier turns are whole: the nearest are taken first, until one does not fit. The decoder reads its texts shifted to the
right, after its start token, so that the last state of a question is the one that predicts the mask.

Shapes: U utterances of the corpus, M most turns of a history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from fmerl.corpus import Utterance
from fmerl.errors import InputError
from fmerl.finetuning.config import MPLPConfig, TuningConfig
from fmerl.finetuning.inputs import TokenSequence
from fmerl.finetuning.mplp.paraphrases import paraphrases_of

_STAR, _FEEL, _COMMA = " *", " may feel", " ,"


class PromptedTexts:
    """Token ids of all texts of a corpus, by utterance in its order.

    Args:
        tokenizer: The encoder-decoder's.
        start: The decoder's start token.
        config: Gives length, turns, and which prompts there are.
        utterances: The corpus's, dialogue by dialogue.
        classes: The corpus's, in label order.

    Raises:
        InputError: Too few tokens for a speaker's prompts, or a paraphrase of no class.
    """

    def __init__(
        self, tokenizer: Any, start: int, config: TuningConfig, utterances: Sequence[Utterance], classes: Sequence[str]
    ) -> None:
        self._length, self._turns = config.max_length, config.context_turns
        self._prompts = int(config.mplp.neighbours > 0) + int(config.mplp.history != "none")
        self._place: int = tokenizer.mask_token_id
        self._separator: int = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
        self._first, self._last = _around(tokenizer)
        said = paraphrases_of(classes, config.mplp.paraphrases)
        speakers = list(dict.fromkeys(each.speaker for each in utterances))
        turns = [f" {each.speaker} : {each.text}" for each in utterances]
        asked = {name: f"{name} feels" for name in speakers}
        told = {(name, label): f"{name} is {words}" for name in speakers for label, words in enumerate(said)}
        feels = (f" {name}{_FEEL}" for name in speakers)
        self._tokens = _tokenised(tokenizer, chain(turns, feels, asked.values(), told.values(), (_STAR, _COMMA)))
        self._earlier = _earlier(utterances)
        self.first_stage: list[TokenSequence] = []
        self.second_stage: list[TokenSequence] = []
        self.places: list[tuple[int, ...]] = []
        """Places of the prompts in the second stage's inputs, experience before history."""
        for row, each in enumerate(utterances):
            prefix = self._prefix(each.speaker)
            self.first_stage.append(self._input(each, turns, row, []))
            self.second_stage.append(self._input(each, turns, row, prefix))
            found = [place for place, token in enumerate(prefix) if token == self._place]
            self.places.append(tuple(len(self._first) + place for place in found[: self._prompts]))
        questions = {name: [start, *self._first, *self._tokens[text]] for name, text in asked.items()}
        self.questions = [questions[each.speaker] for each in utterances]
        """What the decoder reads before the mask."""
        self._said = {key: self._whole(self._tokens[text]) for key, text in told.items()}
        self._speakers = [each.speaker for each in utterances]

    def history(self, settings: MPLPConfig) -> dict[str, Tensor]:
        """Turns that make the history prompts: their rows `earlier` and whether they are the speaker's `own`, [U, M],
        oldest first and zeros after the last one; and how many `turns` there are, [U]."""
        size, speakers = settings.history_turns, self._speakers
        chosen = [rows[:size] if settings.history == "first" else rows[-size:] for rows in self._earlier]
        earlier = torch.zeros(len(chosen), size, dtype=torch.int64)
        own = torch.zeros(len(chosen), size, dtype=torch.bool)
        for row, rows in enumerate(chosen):
            earlier[row, : len(rows)] = torch.tensor(rows)
            own[row, : len(rows)] = torch.tensor([speakers[other] == speakers[row] for other in rows], dtype=torch.bool)
        return {"earlier": earlier, "own": own, "turns": torch.tensor([len(rows) for rows in chosen])}

    def paraphrase(self, row: int, label: int) -> list[int]:
        """What the decoder is to say of an utterance if it has this label."""
        return self._said[self._speakers[row], label]

    def _whole(self, tokens: list[int]) -> list[int]:
        room = self._length - len(self._first) - len(self._last)
        return [*self._first, *tokens[:room], *self._last]

    def _prefix(self, speaker: str) -> list[int]:
        """Tokens before a second stage's input, with a mask at each prompt's place."""
        feels = [*self._tokens[f" {speaker}{_FEEL}"], self._place]
        parts = [feels, self._tokens[_COMMA], feels][: 2 * self._prompts - 1] if self._prompts else []
        return [*chain.from_iterable(parts), self._separator] if parts else []

    def _input(self, own: Utterance, turns: Sequence[str], row: int, prefix: list[int]) -> TokenSequence:
        star, text = self._tokens[_STAR], self._tokens[turns[row]]
        room = self._length - len(self._first) - len(prefix) - 2 * len(star) - len(self._last)
        if room < 1 or len(self._tokens[f"{own.speaker} feels"]) > self._length - len(self._first):
            what = f"{self._length} tokens are too few for the prompts of {own.utterance_id}"
            raise InputError("--max-length", what, "give more tokens")
        kept, past = text[:room], list[list[int]]()
        room -= len(kept)
        for other in reversed(self._earlier[row][-self._turns :] if self._turns else ()):
            piece = self._tokens[turns[other]]
            if len(piece) > room:
                break
            room -= len(piece)
            past.append(piece)
        context = chain.from_iterable(reversed(past))
        ids = [*self._first, *prefix, *context, *star, *kept, *star, *self._last]
        return TokenSequence(ids, range(1), bool(own.text.strip()), len(kept) < len(text))


def _earlier(utterances: Sequence[Utterance]) -> list[range]:
    """Rows of the earlier turns of each utterance's dialogue."""
    starts: dict[str, int] = {}
    return [range(starts.setdefault(each.dialogue_id, row), row) for row, each in enumerate(utterances)]


def _tokenised(tokenizer: Any, texts: Iterable[str]) -> dict[str, list[int]]:
    """Tokens of each distinct text, without special ones."""
    distinct = list(dict.fromkeys(texts))
    found = tokenizer(distinct, add_special_tokens=False, verbose=False)["input_ids"]
    return dict(zip(distinct, found, strict=True))


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Tokens that the tokenizer puts before and after a text."""
    single = tokenizer("a", return_special_tokens_mask=True)
    ids, special = single["input_ids"], single["special_tokens_mask"]
    own = [place for place, mark in enumerate(special) if not mark]
    return ids[: own[0]], ids[own[-1] + 1 :]
