"""Inputs of a tuned encoder: an utterance, with names and turns around it, as tokens.

With `<s>`, `</s></s>` and `</s>` for the tokens that a tokenizer puts before, between and after a pair of texts:

| choice | tokens |
|---|---|
| `utterance` | `<s> text </s>` |
| `name` | `<s> NAME: text </s>` |
| `past` | `<s> NAME: earlier … </s></s> NAME: text </s>` |
| `both` | `<s> NAME: earlier … </s></s> NAME: text </s></s> NAME: later … </s>` |
| `mask` | `<s> NAME: earlier … For utterance: NAME: text NAME feels <mask> </s>` |
| `tags` | `<s> <s1> earlier … <s2> text` |

Names are in capitals. Turns are whole: the nearest are taken first, in `both` one earlier and one later in turn, until
one does not fit. Separators stand also where there is no turn, so that the utterance always has the same place.

In `tags`, CoMPM's and CLED's input, speakers are numbered by their first turn in the dialogue, and of what is too long
the last tokens are kept, wherever that cuts a turn. Tags are plain text unless `speaker_tokens` makes them tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from fmerl.corpus import Corpus, Dialogue
from fmerl.errors import InputError
from fmerl.features.encoder import Item
from fmerl.finetuning.config import InputChoice, TuningConfig

_BEFORE_MASKED = " For utterance: "
_NAME_ENDS = {"utterance": "", "tags": " "}


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """One input."""

    ids: list[int]
    """Token ids, special ones included."""
    read: range
    """Places whose mean state stands for the utterance; never empty."""
    spoken: bool
    """True if the utterance has a token of its own."""
    cut: bool
    """True if the utterance itself was too long."""


def speaker_tag(number: int) -> str:
    """Tag of a dialogue's speaker, counted from 1."""
    return f"<s{number}>"


def tuning_items(corpus: Corpus, choice: InputChoice, turns: int, folds: Mapping[str, int] | None = None) -> list[Item]:
    """All that an input of each utterance is made of, in the corpus's order.

    Args:
        corpus: A corpus.
        choice: Decides whether names and which turns are in it.
        turns: Most turns on either side.
        folds: Fold of each dialogue that has one.
    """
    return [
        item
        for dialogue in corpus.dialogues
        for item in _items(dialogue, choice, turns, None if folds is None else folds.get(dialogue.dialogue_id))
    ]


def _items(dialogue: Dialogue, choice: InputChoice, turns: int, fold: int | None) -> Iterator[Item]:
    names, end = _names(dialogue, choice), _NAME_ENDS.get(choice, ": ")
    texts = [f"{name}{end}{each.text}" for name, each in zip(names, dialogue.utterances, strict=True)]
    before = turns if choice in ("past", "both", "mask", "tags") else 0
    after = turns if choice == "both" else 0
    for turn, utterance in enumerate(dialogue.utterances):
        yield Item(
            utterance_id=utterance.utterance_id,
            text=texts[turn] if utterance.text.strip() else "",
            context=tuple(texts[max(0, turn - before) : turn]),
            following=tuple(texts[turn + 1 : turn + 1 + after]),
            speaker=names[turn],
            fold=fold,
        )


def _names(dialogue: Dialogue, choice: InputChoice) -> list[str]:
    """Who speaks each turn, as its text says it."""
    if choice == "utterance":
        return [""] * len(dialogue.utterances)
    if choice == "tags":
        return [speaker_tag(number + 1) for number in dialogue.speaker_indices()]
    return [each.speaker.upper() for each in dialogue.utterances]


class InputBuilder:
    """Makes token sequences of items.

    Args:
        tokenizer: A Hugging Face tokenizer.
        config: Gives choice, length and pooling.
        longest: Tokens that the model can take.

    Raises:
        InputError: A length that the model cannot take or no text fits into, or no mask for the input `mask`.
    """

    def __init__(self, tokenizer: Any, config: TuningConfig, longest: int) -> None:
        self._tokenizer, self._config = tokenizer, config
        if config.max_length > longest:
            what = f"{config.max_length} tokens, and {config.encoder} takes {longest}"
            raise InputError("--max-length", what, f"give at most {longest}")
        if config.input == "mask" and tokenizer.mask_token_id is None:
            raise InputError(config.encoder, "the tokenizer has no mask", "choose another --input")
        self._first, self._between, self._last = _specials(tokenizer)
        if config.max_length < len(self._first) + 2 * len(self._between) + len(self._last) + 1:
            raise InputError("--max-length", f"{config.max_length} holds no text", "give more tokens")

    def sequences(self, items: Sequence[Item]) -> list[TokenSequence]:
        """The input of each item."""
        tokens = self._tokens(chain.from_iterable(self._pieces(item) for item in items))
        make = self._tagged if self._config.input == "tags" else self._sequence
        return [make(item, tokens) for item in items]

    def alone(self, texts: Sequence[str]) -> list[TokenSequence]:
        """Each text by itself after the first token, with no last one: `<s> text`, a turn of CoMPM's memory."""
        tokens, room = self._tokens(texts), self._config.max_length - len(self._first)
        ids = [tokens[text] for text in texts]
        return [TokenSequence([*self._first, *each[-room:]], range(1), bool(each), len(each) > room) for each in ids]

    def _pieces(self, item: Item) -> Iterator[str]:
        if self._config.input == "tags":
            yield from self._tagged_pieces(item)
            return
        yield item.text
        yield from (f" {turn}" for turn in (*item.context, *item.following))
        if self._config.input == "mask":
            yield from (_BEFORE_MASKED, self._prompt(item))

    @staticmethod
    def _tagged_pieces(item: Item) -> list[str]:
        turns = (*item.context, item.text or item.speaker)
        return [*turns[:1], *(f" {turn}" for turn in turns[1:])]

    def _tokens(self, texts: Iterable[str]) -> dict[str, list[int]]:
        """Tokens of each distinct text, without special ones."""
        distinct = list(dict.fromkeys(texts))
        found = self._tokenizer(distinct, add_special_tokens=False, verbose=False)["input_ids"] if distinct else []
        return dict(zip(distinct, found, strict=True))

    @staticmethod
    def _prompt(item: Item) -> str:
        return f" {item.speaker} feels"

    def _sequence(self, item: Item, tokens: Mapping[str, list[int]]) -> TokenSequence:
        choice, own = self._config.input, tokens[item.text]
        before, after = list[int](), list(self._last)
        if choice in ("past", "both"):
            before = list(self._between)
        if choice == "both":
            after = [*self._between, *self._last]
        if choice == "mask":
            before = list(tokens[_BEFORE_MASKED])
            after = [*tokens[self._prompt(item)], self._tokenizer.mask_token_id, *self._last]
        room = self._config.max_length - len(self._first) - len(before) - len(after)
        if room < 0:
            what = f"{self._config.max_length} tokens are too few for the prompt of {item.utterance_id}"
            raise InputError("--max-length", what, "give more tokens")
        kept = own[:room]
        past, future = self._context(item, tokens, room - len(kept))
        start = len(self._first) + len(past) + len(before)
        if choice == "both":
            after = [*self._between, *future, *self._last]
        ids = [*self._first, *past, *before, *kept, *after]
        return TokenSequence(ids, self._read(ids, start, kept), bool(own), len(kept) < len(own))

    def _tagged(self, item: Item, tokens: Mapping[str, list[int]]) -> TokenSequence:
        *past, own = (tokens[piece] for piece in self._tagged_pieces(item))
        room = self._config.max_length - len(self._first)
        kept = [*chain.from_iterable(past), *own][-room:]
        ids, length = [*self._first, *kept], min(len(own), room)
        read = self._read(ids, len(ids) - length, own[:length])
        return TokenSequence(ids, read, bool(own), len(own) > room)

    def _read(self, ids: list[int], start: int, kept: list[int]) -> range:
        if self._config.input == "mask":
            place = len(ids) - len(self._last) - 1
            return range(place, place + 1)
        if self._config.pooling == "mean" and kept:
            return range(start, start + len(kept))
        return range(1)

    def _context(self, item: Item, tokens: Mapping[str, list[int]], room: int) -> tuple[list[int], list[int]]:
        """Tokens of the nearest turns that fit, earlier and later ones, each in the order of speech."""
        past, future = list[list[int]](), list[list[int]]()
        for earlier, later in zip_longest(reversed(item.context), item.following):
            for turn, side in ((earlier, past), (later, future)):
                if turn is None:
                    continue
                piece = tokens[f" {turn}"]
                if len(piece) > room:
                    return list(chain.from_iterable(reversed(past))), list(chain.from_iterable(future))
                room -= len(piece)
                side.append(piece)
        return list(chain.from_iterable(reversed(past))), list(chain.from_iterable(future))


def _specials(tokenizer: Any) -> tuple[list[int], list[int], list[int]]:
    """Tokens that the tokenizer puts before, between and after two texts."""
    pair = tokenizer("a", "a", return_special_tokens_mask=True)
    ids, special = pair["input_ids"], pair["special_tokens_mask"]
    own = [place for place, mark in enumerate(special) if not mark]
    first = next(place for place in range(own[0], len(ids)) if special[place])
    second = next(place for place in range(first, len(ids)) if not special[place])
    return ids[: own[0]], ids[first:second], ids[own[-1] + 1 :]
