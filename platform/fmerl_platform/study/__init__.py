"""A study as it is asked: variants, inputs, cells, and their record."""
