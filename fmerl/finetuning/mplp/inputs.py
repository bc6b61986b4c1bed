"""MPLP's texts as tokens: what its encoder reads, what its decoder is asked, and what it learns to say.

With `<s>` and `</s>` for what the tokenizer puts around a text, S for the speaker and X, H for the places of the
experience and the history prompt:

| | tokens |
|---|---|
| first stage | `<s> S : earlier … * S : text * </s>` |
| second stage | `<s> S may feel X , S may feel H </s> S : earlier … * S : text * </s>` |
| question | `<s> S feels <mask>` |
| paraphrase | `<s> S is class , gloss </s>` |

Earlier turns are whole: the nearest are taken first, until one does not fit; the prompts come on top. The decoder reads
its texts shifted to the right, after its start token, so that the last state of a question is the one that predicts the
mask.

Shapes: U utterances of the corpus, M most turns of a history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from fmerl.corpus import Utterance
from fmerl.errors import InputError
from fmerl.finetuning.config import MPLPConfig, TuningConfig
from fmerl.finetuning.inputs import TokenSequence
from fmerl.finetuning.mplp.paraphrases import paraphrases_of

_STAR, _COMMA, _MAY_FEEL, _FEELS, _IS = " *", " ,", " may feel", " feels", " is"


class PromptedTexts:
    """Token ids of all texts of a corpus, by utterance in its order.

    Args:
        tokenizer: The encoder-decoder's.
        start: The decoder's start token.
        longest: Tokens that the encoder can take.
        config: Gives length, turns, and which prompts there are.
        utterances: The corpus's, dialogue by dialogue.
        classes: The corpus's, in label order.

    Raises:
        InputError: Too few tokens for an utterance or a speaker's name, too many for the encoder, or a paraphrase of no
            class.
    """

    def __init__(
        self,
        tokenizer: Any,
        start: int,
        longest: int,
        config: TuningConfig,
        utterances: Sequence[Utterance],
        classes: Sequence[str],
    ) -> None:
        self._length = config.max_length
        self._prompts = int(config.mplp.neighbours > 0) + int(config.mplp.history != "none")
        self._place: int = tokenizer.mask_token_id
        self._separator: int = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
        self._first, self._last = _around(tokenizer)
        self._speakers = [each.speaker for each in utterances]
        turns = [f" {each.speaker} : {each.text}" for each in utterances]
        said = [f" {words}" for words in paraphrases_of(classes, config.mplp.paraphrases)]
        names = chain.from_iterable((name, f" {name}") for name in dict.fromkeys(self._speakers))
        fixed = (_STAR, _COMMA, _MAY_FEEL, _FEELS, _IS)
        self._tokens = _tokenised(tokenizer, chain(turns, said, names, fixed))
        self._said = [self._tokens[words] for words in said]
        self._earlier = _earlier(utterances)
        self.first_stage: list[TokenSequence] = []
        self.second_stage: list[TokenSequence] = []
        self.places: list[tuple[int, ...]] = []
        """Places of the prompts in the second stage's inputs, experience before history."""
        self.questions: list[list[int]] = []
        """What the decoder reads before the mask."""
        for row, each in enumerate(utterances):
            before = self._earlier[row][-config.context_turns :] if config.context_turns else ()
            text = self._text(self._tokens[turns[row]], [self._tokens[turns[other]] for other in before])
            prompts, places = self._before(each.speaker)
            prompted = [*prompts, *text.ids[len(self._first) :]]
            question = [start, *self._first, *self._tokens[each.speaker], *self._tokens[_FEELS]]
            if max(len(prompted), len(question)) > longest:
                what = (
                    f"{each.utterance_id} has {len(prompted)} tokens with its prompts, and the encoder takes {longest}"
                )
                raise InputError("--max-length", what, "give fewer")
            self.first_stage.append(text)
            self.second_stage.append(replace(text, ids=prompted))
            self.places.append(places)
            self.questions.append(question)

    def paraphrase(self, row: int, label: int) -> list[int]:
        """What the decoder is to say of an utterance if it has this label."""
        words = [*self._tokens[self._speakers[row]], *self._tokens[_IS], *self._said[label]]
        return [*self._first, *words[: self._length - len(self._first) - len(self._last)], *self._last]

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

    def _before(self, speaker: str) -> tuple[list[int], tuple[int, ...]]:
        """Tokens before a second stage's text, and the places in them that prompts take."""
        ids, places = list(self._first), list[int]()
        for number in range(self._prompts):
            ids += [*(self._tokens[_COMMA] if number else ()), *self._tokens[f" {speaker}"], *self._tokens[_MAY_FEEL]]
            places.append(len(ids))
            ids.append(self._place)
        return ([*ids, self._separator] if places else ids), tuple(places)

    def _text(self, own: list[int], earlier: Sequence[list[int]]) -> TokenSequence:
        """A first stage's input of a turn's tokens and those of earlier turns."""
        star = self._tokens[_STAR]
        room = self._length - len(self._first) - 2 * len(star) - len(self._last)
        if room < 1:
            raise InputError("--max-length", f"{self._length} holds no text", "give more tokens")
        kept, past = own[:room], list[list[int]]()
        room -= len(kept)
        for turn in reversed(earlier):
            if len(turn) > room:
                break
            room -= len(turn)
            past.append(turn)
        ids = [*self._first, *chain.from_iterable(reversed(past)), *star, *kept, *star, *self._last]
        return TokenSequence(ids, range(1), True, len(kept) < len(own))


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
