"""Definition of a study: variants, inputs, cells, and their record."""
