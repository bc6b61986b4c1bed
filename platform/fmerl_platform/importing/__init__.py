"""Corpora made from raw releases and from annotations in other forms."""
