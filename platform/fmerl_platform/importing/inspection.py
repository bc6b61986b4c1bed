"""A page on a corpus as it is, for whoever is about to read scores on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from fmerl.corpus import SPLITS, Corpus, Split, read_corpus
from fmerl.corpus.class_maps import told_class_map
from fmerl.corpus.inspection import (
    RepeatedText,
    class_counts,
    inertia,
    longest_texts,
    majority_weighted_f1,
    repeated_texts,
    spans,
    total,
)
from fmerl_platform.report.document import FileNames, Report, Section
from fmerl_platform.report.numbers import NONE, percent
from fmerl_platform.report.table import Column, Table, columns

_SHOWN = 10
"""Rows of lists of examples."""
_FEWEST_PAIRS = 30
"""Pairs below which a speaker's inertia says nothing."""
_LONGEST = 90
"""Characters of a text that are shown."""


def corpus_report(folder: Path) -> Report:
    """Everything that the page shows; raises InputError as `read_corpus` does."""
    corpus = read_corpus(folder)
    repeats = {split: repeated_texts(corpus, split) for split in SPLITS[1:]}
    return Report(
        title=f"Corpus {corpus.name} as it is",
        sections=(
            Section(
                title=corpus.name,
                finding=_finding(corpus, repeats["test"]),
                tables=(_classes(corpus), _repeats(repeats), _conversations(corpus)),
                details=(_examples(corpus, repeats["test"]), _speakers(corpus), _longest(corpus)),
            ),
        ),
        provenance={"corpus": str(folder.resolve()), "digest": corpus.digest()},
        rows=_rows(corpus, repeats),
        files=FileNames(page="corpus.html", markdown="corpus.md", latex="corpus.tex", rows="corpus.json"),
    )


def _counts(repeats: Sequence[RepeatedText]) -> dict[str, int]:
    """Numbers of a split's repeated texts, in the order of the table's columns."""
    return {
        "texts": len(repeats),
        "texts_with_several_emotions": sum(item.differs for item in repeats),
        "utterances": sum(item.rows for item in repeats),
        "other_emotion": sum(item.unusual_rows for item in repeats),
        "new_emotion": sum(item.unheard_rows for item in repeats),
    }


def _finding(corpus: Corpus, repeats: Sequence[RepeatedText]) -> str:
    counts = class_counts(corpus, "test")
    most = max(counts, key=lambda name: counts[name])
    rows, labelled = sum(item.rows for item in repeats), sum(counts.values())
    unusual, differing = sum(item.unusual_rows for item in repeats), sum(item.differs for item in repeats)
    stays = total(inertia(dialogue for dialogue in corpus.dialogues if dialogue.split == "test").values())
    sentences = [
        f"Always saying {most} scores {percent(majority_weighted_f1(list(counts.values())))} weighted F1 on "
        f"{corpus.name}'s test split.",
        f"{rows} of its {labelled} labelled utterances repeat a train text letter by letter ({len(repeats)} texts), "
        f"{unusual} of them with another emotion than the text mostly has in train; {differing} of these texts have "
        "more than one emotion."
        if rows
        else "No test utterance repeats a train text.",
        f"A speaker's emotion stays the same from one utterance to the next in {percent(stays.share)}% of "
        f"{stays.pairs} cases.",
    ]
    return " ".join(sentences)


def _classes(corpus: Corpus) -> Table:
    counts = {split: class_counts(corpus, split) for split in SPLITS}
    totals = {split: sum(found.values()) for split, found in counts.items()}
    rows = [
        (
            name,
            *(
                text
                for split in SPLITS
                for text in (str(counts[split][name]), percent(counts[split][name] / max(totals[split], 1)))
            ),
        )
        for name in corpus.classes
    ]
    rows.append(("labelled", *(text for split in SPLITS for text in (str(totals[split]), NONE))))
    return Table(
        name=f"{corpus.name} classes",
        caption=f"Labelled utterances of {corpus.name} by class",
        columns=columns("Class", *(header for split in SPLITS for header in (split, "%"))),
        rows=tuple(rows),
        notes=(f"Mapped on import: {told}.",) if (told := told_class_map(corpus.class_map)) else (),
    )


def _repeats(repeats: Mapping[Split, Sequence[RepeatedText]]) -> Table:
    return Table(
        name="repeats",
        caption="Texts that train holds too",
        columns=columns("Split", "Texts", "Texts with several emotions", "Utterances", "Other emotion", "New emotion"),
        rows=tuple((split, *map(str, _counts(found).values())) for split, found in repeats.items()),
        notes=(
            "The same text letter by letter, of labelled utterances; blank texts do not count. Several emotions: in "
            "train and the split together. Other emotion: utterances whose emotion is not the text's most frequent one "
            "in train. New emotion: one that the text never has in train.",
            "Reports of studies on this corpus show weighted F1 with and without these utterances.",
        ),
    )


def _conversations(corpus: Corpus) -> Table:
    rows = []
    for split in SPLITS:
        dialogues = [dialogue for dialogue in corpus.dialogues if dialogue.split == split]
        lengths = [len(dialogue.utterances) for dialogue in dialogues]
        stays, times = total(inertia(dialogues).values()), spans(dialogues)
        odd = (times.reversed, times.overlapping, times.backwards)
        rows.append(
            (
                split,
                str(len(dialogues)),
                str(sum(lengths)),
                str(sum(length == 1 for length in lengths)),
                str(max(lengths)),
                percent(stays.share),
                str(times.known),
                *(map(str, odd) if times.known else [NONE] * len(odd)),
            )
        )
    headers = ("Dialogues", "Turns", "Of one turn", "Longest", "Inertia %", "Timed", "Reversed", "Overlapping", "Back")
    return Table(
        name=f"{corpus.name} dialogues",
        caption=f"Dialogues of {corpus.name}",
        columns=columns("Split", *headers),
        rows=tuple(rows),
        notes=(
            "Inertia: labelled utterances with the emotion of the same speaker's last labelled one in the dialogue, of "
            "those that have one.",
            "Timed: utterances with start and end. Reversed: they end before they start. Overlapping: they start "
            "before the turn before ends. Back: they start before the turn before starts.",
        ),
    )


def _examples(corpus: Corpus, repeats: Sequence[RepeatedText]) -> Table:
    def told(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{name} {counts[name]}" for name in corpus.classes if counts.get(name))

    return Table(
        name="examples",
        caption="Test texts that train holds too, the most frequent",
        columns=(Column("Text", numeric=False), Column("In train", numeric=False), Column("In test", numeric=False)),
        rows=tuple((_cut(item.text), told(item.train), told(item.split)) for item in repeats[:_SHOWN]),
        notes=(),
    )


def _speakers(corpus: Corpus) -> Table:
    found = {name: each for name, each in inertia(corpus.dialogues).items() if each.pairs >= _FEWEST_PAIRS}
    return Table(
        name="speakers",
        caption="Inertia by speaker, all splits",
        columns=columns("Speaker", "Pairs", "Inertia %"),
        rows=tuple((name, str(each.pairs), percent(each.share)) for name, each in [*found.items()][:_SHOWN]),
        notes=(
            f"The {_SHOWN} speakers with most pairs, of at least {_FEWEST_PAIRS}. A name is taken for one speaker "
            "wherever it stands, so in corpora that name speakers A and B this tells roles apart, not people.",
        ),
    )


def _longest(corpus: Corpus) -> Table:
    texts = (Column("Utterance", numeric=False), Column("Split", numeric=False))
    return Table(
        name="longest",
        caption="Longest texts",
        columns=(*texts, Column("Words"), Column("Characters"), Column("Text", numeric=False)),
        rows=tuple(
            (item.utterance_id, item.split, str(words), str(len(item.text)), _cut(item.text))
            for item, words in longest_texts(corpus, _SHOWN)
        ),
        notes=(),
    )


def _rows(corpus: Corpus, repeats: Mapping[Split, Sequence[RepeatedText]]) -> dict[str, object]:
    dialogues = {split: [each for each in corpus.dialogues if each.split == split] for split in SPLITS}
    return {
        "corpus": corpus.name,
        "classes": {split: class_counts(corpus, split) for split in SPLITS},
        "class_map": dict(corpus.class_map),
        "repeats": {split: _counts(found) for split, found in repeats.items()},
        "one_turn_dialogues": {
            split: sum(len(each.utterances) == 1 for each in found) for split, found in dialogues.items()
        },
        "inertia": {split: asdict(total(inertia(found).values())) for split, found in dialogues.items()},
        "spans": {split: asdict(spans(found)) for split, found in dialogues.items()},
        "longest_texts": {item.utterance_id: words for item, words in longest_texts(corpus, _SHOWN)},
    }


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
