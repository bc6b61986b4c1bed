"""FMERL: fine-grained multidimensional emotion representation learning for conversations, in plain PyTorch."""

__version__ = "0.1.0"
