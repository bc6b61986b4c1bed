"""Labelling a corpus through an OpenAI-compatible endpoint: every answer is paid for once and kept."""
