"""Tuned encoders as a study: systems and inputs compared by their own predictions."""
