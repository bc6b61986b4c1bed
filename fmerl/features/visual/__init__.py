"""Visual features."""
