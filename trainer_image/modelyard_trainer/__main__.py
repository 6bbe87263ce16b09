"""`python -m modelyard_trainer [DOCUMENT]`."""

from modelyard_trainer.interruption import Interruption

# The kernel drops a signal that its PID 1 does not handle, and what follows takes a second to import.
_interruption = Interruption()
_interruption.install(held=True)

from modelyard_trainer.process import leave, main  # noqa: E402

leave(main(interruption=_interruption))
