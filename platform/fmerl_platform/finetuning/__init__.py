"""Tuned encoders as a study: inputs compared by their own classifiers."""
