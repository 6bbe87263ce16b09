"""A torch-free task for tests."""
