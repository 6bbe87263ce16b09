"""The training loop, which knows no task, and its parts, each of which stands alone."""
