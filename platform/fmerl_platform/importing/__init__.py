"""Corpora made from raw releases."""
