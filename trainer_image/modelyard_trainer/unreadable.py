"""Files that this process may not read, said so that their owner knows what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelyard_trainer.errors import RunError

if TYPE_CHECKING:
    from modelyard_api.outcome import Reason


@contextmanager
def refusing_unreadable(reason: Reason, field: str) -> Iterator[None]:
    """Around the reading of what others own.

    Nobody's next attempt could read it, either: what is on a claim is not given to the pod's group.

    Args:
        reason: of the error; one that is not tried again.
        field: of the spec, or the folder, that names the files.

    Raises:
        RunError: of this reason, naming the file or folder and the user, in place of a PermissionError.
    """
    try:
        yield
    except PermissionError as error:
        raise RunError(
            reason,
            f"{field}: {error.filename} cannot be read by the user that the trainer is here, uid {os.geteuid()}; files "
            "that everybody may read in folders that everybody may enter (chmod -R a+rX) would be right",
        ) from error
