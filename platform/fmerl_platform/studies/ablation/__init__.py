"""Ablations: variants judged against a control."""
