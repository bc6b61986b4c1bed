"""Conversations and where they come from: corpus folders, raw releases, generators."""

from fmerl.corpus.dialogue import SPLITS, Corpus, Dialogue, Problem, Side, Split, Utterance
from fmerl.corpus.folder import media_file, read_corpus, write_corpus
from fmerl.corpus.readers.feature_pickles.reader import read_published
from fmerl.corpus.readers.iemocap.reader import read_iemocap
from fmerl.corpus.readers.meld import read_meld
from fmerl.synthetic.corpus import IEMOCAP_SHAPE, MELD_SHAPE, ModalitySpec, SyntheticCorpus, SyntheticSpec, generate
from fmerl.synthetic.spec import SHAPES

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
