"""Conversations and the folders that hold them; `fmerl.corpus.readers` reads raw releases."""

from fmerl.corpus.dialogue import SPLITS, Corpus, Dialogue, Problem, Side, Split, Utterance
from fmerl.corpus.folder import media_file, read_corpus, read_header, write_corpus

__all__ = [
    "SPLITS",
    "Corpus",
    "Dialogue",
    "Problem",
    "Side",
    "Split",
    "Utterance",
    "media_file",
    "read_corpus",
    "read_header",
    "write_corpus",
]
