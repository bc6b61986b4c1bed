"""Conditions: a trained model tested with a modality that is missing, noisy or late."""
