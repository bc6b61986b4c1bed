"""Across corpora: models trained on one corpus, tested on the others."""
