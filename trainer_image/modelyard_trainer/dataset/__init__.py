"""Data sets: fetched, checked and split. What is checked here is, array for array, what is trained on."""
