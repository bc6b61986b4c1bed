"""Readers of corpora as released or annotated elsewhere, and of the feature pickles that papers pass around."""

from fmerl.corpus.readers.annotated_conversations import read_conversations
from fmerl.corpus.readers.audformat_database import AudformatFields, read_audformat
from fmerl.corpus.readers.convokit_folder import read_convokit
from fmerl.corpus.readers.dailydialog import read_dailydialog
from fmerl.corpus.readers.emorynlp import read_emorynlp
from fmerl.corpus.readers.feature_pickles.reader import read_published
from fmerl.corpus.readers.iemocap.reader import read_iemocap
from fmerl.corpus.readers.meld import read_meld

__all__ = [
    "AudformatFields",
    "read_audformat",
    "read_conversations",
    "read_convokit",
    "read_dailydialog",
    "read_emorynlp",
    "read_iemocap",
    "read_meld",
    "read_published",
]
