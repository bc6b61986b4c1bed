"""Paid questions to an OpenAI-compatible endpoint."""
