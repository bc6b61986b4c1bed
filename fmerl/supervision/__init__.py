"""Supervision of the two forms of emotion: VAD scores, and descriptions of the classes."""
