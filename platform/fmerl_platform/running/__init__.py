"""Cells as they run on Ray."""
