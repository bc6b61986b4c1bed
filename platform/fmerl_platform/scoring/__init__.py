"""Anyone's predictions, scored as the cells of a study are."""
