"""Tuning of a text encoder on a corpus's emotions."""
