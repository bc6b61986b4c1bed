"""Facts about a corpus that decide what a score on it means: repeats, inertia, spans, lengths, class counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fmerl.corpus.dialogue import Corpus, Dialogue, Split, Utterance


@dataclass(frozen=True, kw_only=True)
class RepeatedText:
    """A text of a split that train holds too, letter by letter."""

    text: str
    train: Mapping[str, int]
    """Labelled train utterances of this text, by emotion."""
    split: Mapping[str, int]
    """Labelled utterances of the split, by emotion."""

    @property
    def rows(self) -> int:
        """Labelled utterances of the split."""
        return sum(self.split.values())

    @property
    def usual(self) -> str:
        """The most frequent emotion of the text in train, the first by name among equals."""
        return min(self.train, key=lambda name: (-self.train[name], name))

    @property
    def unusual_rows(self) -> int:
        """Utterances of the split whose emotion is not the usual one."""
        return self.rows - self.split.get(self.usual, 0)

    @property
    def unheard_rows(self) -> int:
        """Utterances of the split whose emotion the text never has in train."""
        return sum(number for name, number in self.split.items() if name not in self.train)

    @property
    def differs(self) -> bool:
        """True if the text has more than one emotion, both splits together."""
        return len({*self.train, *self.split}) > 1


@dataclass(frozen=True, kw_only=True)
class Inertia:
    """How often a speaker's emotion is that of the same speaker's last labelled utterance in the dialogue."""

    same: int
    pairs: int
    """Utterances that have such a predecessor."""

    @property
    def share(self) -> float:
        return self.same / self.pairs if self.pairs else float("nan")


@dataclass(frozen=True, kw_only=True)
class Spans:
    """Times of a split's utterances, as the release gives them."""

    known: int
    """Utterances with start and end."""
    reversed: int
    """Utterances that end before they start, or as they start."""
    overlapping: int
    """Utterances that start before the turn before them ends."""
    backwards: int
    """Utterances that start before the turn before them starts."""


def class_counts(corpus: Corpus, split: Split) -> dict[str, int]:
    """Labelled utterances by class, in label order."""
    counts = Counter(item.emotion for item in _of(corpus, split))
    return {name: counts[name] for name in corpus.classes}


def repeated_texts(corpus: Corpus, split: Split) -> list[RepeatedText]:
    """Texts of labelled utterances of a split that labelled train utterances have too, most rows first."""
    train, there = _emotions_by_text(_of(corpus, "train")), _emotions_by_text(_of(corpus, split))
    found = [RepeatedText(text=text, train=train[text], split=there[text]) for text in there if text in train]
    return sorted(found, key=lambda item: (-item.rows, -sum(item.train.values()), item.text))


def repeats_of_train(corpus: Corpus) -> tuple[str, ...]:
    """Ids of the test utterances whose text is, letter by letter, that of a labelled train utterance."""
    return tuple(repeated_ids(_of(corpus, "train"), _of(corpus, "test")))


def repeated_ids(train: Iterable[Utterance], test: Iterable[Utterance]) -> Iterator[str]:
    """Ids of test utterances whose text is, letter by letter, that of a labelled train utterance; none if blank."""
    texts = {item.text for item in train if item.emotion is not None and item.text.strip()}
    return (item.utterance_id for item in test if item.text in texts)


def inertia(dialogues: Iterable[Dialogue]) -> dict[str, Inertia]:
    """Inertia by speaker."""
    same: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for dialogue in dialogues:
        last: dict[str, str] = {}
        for item in dialogue.utterances:
            if item.emotion is None:
                continue
            if item.speaker in last:
                pairs[item.speaker] += 1
                same[item.speaker] += last[item.speaker] == item.emotion
            last[item.speaker] = item.emotion
    return {name: Inertia(same=same[name], pairs=number) for name, number in pairs.most_common()}


def total(inertias: Iterable[Inertia]) -> Inertia:
    """Inertia over several speakers."""
    found = list(inertias)
    return Inertia(same=sum(each.same for each in found), pairs=sum(each.pairs for each in found))


def spans(dialogues: Iterable[Dialogue]) -> Spans:
    """Odd times within dialogues; turns are compared with the one before where both have a span."""
    known = backward = overlap = turned = 0
    for dialogue in dialogues:
        times = [_span(item) for item in dialogue.utterances]
        known += sum(time is not None for time in times)
        turned += sum(time is not None and time[1] <= time[0] for time in times)
        for before, now in pairwise(times):
            if before is not None and now is not None:
                backward += now[0] < before[0]
                overlap += before[0] <= now[0] < before[1]
    return Spans(known=known, reversed=turned, overlapping=overlap, backwards=backward)


def longest_texts(corpus: Corpus, number: int) -> list[tuple[Utterance, int]]:
    """Utterances with most words, and how many, longest first."""
    counted = [(item, len(item.text.split())) for item in corpus.utterances()]
    return sorted(counted, key=lambda pair: (-pair[1], pair[0].utterance_id))[:number]


def majority_weighted_f1(counts: Sequence[int]) -> float:
    """Weighted F1 of always saying the most frequent class, from the counts of all classes; NaN without any."""
    share = max(counts) / sum(counts) if sum(counts) else float("nan")
    return share * 2 * share / (1 + share)


def _span(item: Utterance) -> tuple[float, float] | None:
    for start, end in ((item.start, item.end), (item.video_start, item.video_end)):
        if start is not None and end is not None:
            return start, end
    return None


def _of(corpus: Corpus, split: Split) -> Iterator[Utterance]:
    return (item for item in corpus.utterances() if item.split == split)


def _emotions_by_text(utterances: Iterable[Utterance]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for item in utterances:
        if item.emotion is not None and item.text.strip():
            found[item.text][item.emotion] += 1
    return dict(found)
