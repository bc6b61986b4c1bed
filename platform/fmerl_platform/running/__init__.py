"""Running of cells on Ray."""
