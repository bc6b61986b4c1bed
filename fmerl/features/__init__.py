"""Encoders behind one interface, and the store their tables are kept in."""
