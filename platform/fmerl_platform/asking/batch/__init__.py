"""Paid questions in batches: a file of requests, answered within a day at a share of the price (OpenAI's Batch API)."""
