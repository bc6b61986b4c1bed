"""Published sizes of releases: another size means a part, or another set under the same name."""

from __future__ import annotations

from collections.abc import Mapping

from fmerl.corpus.dialogue import SPLITS, Corpus, Problem, Split

SIZES: Mapping[str, Mapping[tuple[Split, ...], tuple[int, int]]] = {
    "meld": {("train",): (9_989, 1_038), ("validation",): (1_109, 114), ("test",): (2_610, 280)},
    "iemocap": {SPLITS: (10_039, 151)},
}
"""Utterances and dialogues by corpus and splits, of MELD (Poria et al. 2019) and IEMOCAP (Busso et al. 2008)."""


def unusual_sizes(corpus: Corpus) -> list[Problem]:
    """Splits of a release, read whole, that have another size than its authors say; to be told on screen too."""
    problems = []
    for splits, published in SIZES.get(corpus.name, {}).items():
        lengths = [len(dialogue.utterances) for dialogue in corpus.dialogues if dialogue.split in splits]
        if (sum(lengths), len(lengths)) != published:
            found = f"{sum(lengths):,} utterances in {len(lengths):,} dialogues"
            what = (
                f"{found}, where {corpus.name.upper()}'s {' + '.join(splits)} has {published[0]:,} in {published[1]:,}"
            )
            problems.append(Problem(where=corpus.name, row=0, what=what, action="kept", on_screen=True))
    return problems
