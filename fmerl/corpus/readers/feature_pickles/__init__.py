"""Feature pickles as papers pass them around."""
