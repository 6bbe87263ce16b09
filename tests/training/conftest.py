"""What small trainings share."""

from tests.training.attempts import imported
from tests.training.resuming import forked_ranks, one_cpu_and_every_batch_counts

__all__ = ["forked_ranks", "imported", "one_cpu_and_every_batch_counts"]
