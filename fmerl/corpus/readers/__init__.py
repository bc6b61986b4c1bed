"""Readers of corpora as they are released."""
