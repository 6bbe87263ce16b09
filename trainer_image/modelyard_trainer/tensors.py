"""Files of torch.save, whoever wrote them: data, never programs. Nothing else here calls torch.load."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from modelyard_trainer.files import write_atomically
from modelyard_trainer.memory import want_of_memory

if TYPE_CHECKING:
    from torch import Tensor

_ASKED_FOR = re.compile(r"(?:GLOBAL|class|function) ([\w.]+)")


def write_tensors(path: Path, values: Mapping[str, object], weights: Mapping[str, Tensor]) -> None:
    """Write plain values and, as `state_dict`, weights, as `read_tensors` reads them: whole or not at all."""
    import torch  # noqa: PLC0415 - seconds

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    buffer = io.BytesIO()
    torch.save({**values, "state_dict": state}, buffer)
    write_atomically(path, buffer.getvalue())


def read_tensors(path: Path) -> dict[str, Any]:
    """A dictionary of tensors (on the CPU) and plain values. Nothing in the file is run.

    Raises:
        ValueError: it is no such file, or holds more than that; the message is a sentence about the file.
    """
    import torch  # noqa: PLC0415 - seconds

    _refuse_other_archives(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ValueError(f"{path.name} {_what_it_holds(error)}; none of it was run") from error
    except Exception as error:  # of many kinds, from KeyError to RuntimeError
        if want_of_memory(error):  # the file may be sound
            raise
        first = str(error).strip().partition("\n")[0]
        raise ValueError(f"{path.name} cannot be read ({type(error).__name__}: {first})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds a {type(content).__name__}, not a dictionary")  # noqa: TRY004 - as above
    return content


def _refuse_other_archives(path: Path) -> None:
    """Only what torch.save has written since 2020: a zip file, whose parts lie in it as they are.

    So a small file cannot unpack to more than the memory there is, and the readers of older formats are not needed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name} is not a file of torch.save") from error
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise ValueError(f"{path.name} holds compressed parts, which torch.save never writes")
    if sum(part.file_size for part in parts) > path.stat().st_size:
        raise ValueError(f"{path.name} says that it holds more than it does")


def _what_it_holds(error: UnpicklingError) -> str:
    """Torch's own message explains at length how to run it all the same."""
    asked = _ASKED_FOR.search(str(error))
    what = f"asks for {asked[1]}, which may be a program" if asked else "holds what may be a program"
    return f"{what}, where only tensors and plain values belong"
