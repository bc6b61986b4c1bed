"""Made-up corpora with planted effects; nothing of the method imports them."""
