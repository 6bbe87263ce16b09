"""How long an attempt has to end. Imports nothing: who catches signals has to be ready before all else."""

GRACE_SECONDS = 120
"""Between SIGTERM and SIGKILL: what a trainer has to bring its last checkpoint to safety."""
