"""One encoder per modality, and the store their tables are kept in."""
