"""What small trainings share."""

from tests.training.resuming import one_cpu_and_every_batch_counts

__all__ = ["one_cpu_and_every_batch_counts"]
