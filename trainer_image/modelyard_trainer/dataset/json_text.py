"""JSON that came with a data set, whoever wrote it."""

from __future__ import annotations

import json
from typing import Any

from modelyard_api.outcome import Reason

from modelyard_trainer.errors import RunError


def parse_json(text: str, name: str, reason: Reason) -> Any:
    """What `text`, the content of the file `name`, says.

    Raises:
        RunError: `reason`; it is not JSON, or such as would only cost memory.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise RunError(reason, f"{name}, line {error.lineno}: not JSON ({error.msg})") from error
    except RecursionError as error:
        raise RunError(reason, f"{name}: nested too deeply") from error
    except ValueError as error:
        raise RunError(reason, f"{name}: it holds a number of thousands of digits") from error
