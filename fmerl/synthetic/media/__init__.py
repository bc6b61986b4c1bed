"""Raw media made from a seed: speech, faces and texts that follow valence, arousal and dominance."""

from fmerl.synthetic.media.corpus import write_media_corpus
from fmerl.synthetic.media.spec import Layout, MediaSpec

__all__ = ["Layout", "MediaSpec", "write_media_corpus"]
