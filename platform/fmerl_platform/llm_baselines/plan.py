"""Plan of a model and a seed: test utterances, and the run that its answers make."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from fmerl.corpus import Corpus, Dialogue, Utterance
from fmerl_platform.llm_baselines.models import LanguageModel
from fmerl_platform.study.cells import cell_name


@dataclass(frozen=True, kw_only=True)
class SeedRun:
    """One model's answers with one seed; a `fmerl_platform.ledger.experiment.Planned`."""

    corpus: str
    model: LanguageModel
    seed: int
    fingerprint: str
    """SHA-256 of all that decides the numbers."""

    @property
    def variant(self) -> str:
        return self.model.name

    @property
    def fold(self) -> None:
        """None: the corpus's own test split is asked about."""

    @property
    def name(self) -> str:
        return cell_name(self.corpus, self.variant, self.seed)


def asked_dialogues(corpus: Corpus, limit: int | None) -> list[Dialogue]:
    """Test dialogues with a labelled utterance: all, or as many whole ones as hold at most `limit` such utterances.

    They are drawn in the order of a hash, at least one, so that a larger limit keeps those of a smaller one.
    """
    in_test = [dialogue for dialogue in corpus.dialogues if dialogue.split == "test" and labelled(dialogue)]
    if limit is None:
        return in_test
    kept: set[str] = set()
    total = 0
    for dialogue in sorted(in_test, key=_drawn):
        total += len(labelled(dialogue))
        if kept and total > limit:
            break
        kept.add(dialogue.dialogue_id)
    return [dialogue for dialogue in in_test if dialogue.dialogue_id in kept]


def labelled(dialogue: Dialogue) -> Sequence[Utterance]:
    """Utterances that have a class; the others are context."""
    return [utterance for utterance in dialogue.utterances if utterance.emotion is not None]


def _drawn(dialogue: Dialogue) -> bytes:
    return hashlib.sha256(dialogue.dialogue_id.encode()).digest()
