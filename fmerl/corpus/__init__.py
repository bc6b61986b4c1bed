"""Conversations and where they come from: corpus folders, raw releases, generators."""

from fmerl.corpus.dialogue import SPLITS, Corpus, Dialogue, Problem, Side, Split, Utterance
from fmerl.corpus.folder import media_file, read_corpus, write_corpus
from fmerl.corpus.iemocap import read_iemocap
from fmerl.corpus.meld import read_meld
from fmerl.corpus.published import read_published
from fmerl.corpus.synthetic import IEMOCAP_SHAPE, MELD_SHAPE, ModalitySpec, SyntheticCorpus, SyntheticSpec, generate
from fmerl.corpus.synthetic_spec import SHAPES

__all__ = [
    "IEMOCAP_SHAPE",
    "MELD_SHAPE",
    "SHAPES",
    "SPLITS",
    "Corpus",
    "Dialogue",
    "ModalitySpec",
    "Problem",
    "Side",
    "Split",
    "SyntheticCorpus",
    "SyntheticSpec",
    "Utterance",
    "generate",
    "media_file",
    "read_corpus",
    "read_iemocap",
    "read_meld",
    "read_published",
    "write_corpus",
]
