"""Networks that compute as their int8 files will, so that training can get used to it. Knows no task."""
