"""Zero-shot recognition (the paper's Table 2): classes held out of training, scored on a test set that has them."""
