"""Made-up corpora with planted effects, for tests and demonstrations; nothing of the method imports them."""

from fmerl.synthetic.corpus import IEMOCAP_SHAPE, MELD_SHAPE, ModalitySpec, SyntheticCorpus, SyntheticSpec, generate
from fmerl.synthetic.spec import SHAPES

__all__ = ["IEMOCAP_SHAPE", "MELD_SHAPE", "SHAPES", "ModalitySpec", "SyntheticCorpus", "SyntheticSpec", "generate"]
