"""Readers of corpora as they are released: raw MELD and IEMOCAP, and the feature pickles that papers pass around."""

from fmerl.corpus.readers.feature_pickles.reader import read_published
from fmerl.corpus.readers.iemocap.reader import read_iemocap
from fmerl.corpus.readers.meld import read_meld

__all__ = ["read_iemocap", "read_meld", "read_published"]
