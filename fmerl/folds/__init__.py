"""Folds of a corpus, and their data."""
