"""Trainings beside the library that people would use instead: same data, split, seed, epochs and threads."""
