"""What the two forms of emotion are learned from: VAD scores, and descriptions of the classes."""
