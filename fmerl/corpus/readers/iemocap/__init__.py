"""IEMOCAP's raw release."""
