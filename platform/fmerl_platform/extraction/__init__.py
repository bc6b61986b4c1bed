"""Feature extraction: a corpus and its media through Ray Data to feature tables."""
