"""Weights that a run starts from: where they come from, what is in them, and what of it fits."""
