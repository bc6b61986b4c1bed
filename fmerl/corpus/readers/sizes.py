"""Published sizes of releases: another size means a part, or another set under the same name."""

from __future__ import annotations

from collections.abc import Mapping

from fmerl.corpus.dialogue import SPLITS, Corpus, Problem, Split

SIZES: Mapping[str, Mapping[tuple[Split, ...], tuple[tuple[int, int], ...]]] = {
    "meld": {("train",): ((9_989, 1_038),), ("validation",): ((1_109, 114),), ("test",): ((2_610, 280),)},
    "iemocap": {SPLITS: ((10_039, 151),)},
    "emorynlp": {
        ("train",): ((9_934, 713), (7_551, 659)),
        ("validation",): ((1_344, 99), (954, 89)),
        ("test",): ((1_328, 85), (984, 79)),
    },
    "dailydialog": {("train",): ((87_170, 11_118),), ("validation",): ((8_069, 1_000),), ("test",): ((7_740, 1_000),)},
}
"""Utterances and dialogues by corpus and splits, in each published form.

MELD: Poria et al. 2019. IEMOCAP: Busso et al. 2008. EmoryNLP: the README of its release 1.0 (Zahiri and Choi 2018), and
the CSVs with times that MELD's repository holds. DailyDialog: the release (Li et al. 2017), whose 13,118 dialogues have
102,979 utterances.
"""


def unusual_sizes(corpus: Corpus) -> list[Problem]:
    """Splits of a release, read whole, that have another size than its authors say; to be told on screen too."""
    problems = []
    for splits, published in SIZES.get(corpus.name, {}).items():
        lengths = [len(dialogue.utterances) for dialogue in corpus.dialogues if dialogue.split in splits]
        if (sum(lengths), len(lengths)) not in published:
            found = f"{sum(lengths):,} utterances in {len(lengths):,} dialogues"
            whole = " or ".join(f"{utterances:,} in {dialogues:,}" for utterances, dialogues in published)
            what = f"{found}, where {corpus.name.upper()}'s {' + '.join(splits)} has {whole}"
            problems.append(Problem(where=corpus.name, row=0, what=what, action="kept", on_screen=True))
    return problems
