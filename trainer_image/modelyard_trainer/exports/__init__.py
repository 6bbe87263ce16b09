"""Trained networks as files that run without us, and what these files are worth. Knows no task."""
