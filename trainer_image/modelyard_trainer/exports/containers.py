"""Files that hold weights and no network: safetensors and GGUF. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from modelyard_api.export import ExportFormat, Precision

KEY = "modelyard."
"""How our keys begin in a GGUF file."""
ARCHITECTURE = "modelyard"
"""`general.architecture` of our GGUF files: tensors by name, of networks that no GGUF runtime computes."""
_LONGEST_NAME = 63
"""Bytes that a tensor's name may have in GGUF."""
Weights = Mapping[str, torch.Tensor]


def rounded(weights: Weights, precision: Precision) -> dict[str, torch.Tensor]:
    """Floats in fp16 where that is asked for; whole numbers as they are."""
    half = precision is Precision.FP16
    return {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).detach().cpu().contiguous().clone()
        for name, tensor in weights.items()
    }


def write_safetensors(weights: Weights, metadata: Mapping[str, str], path: Path) -> None:
    """Tensors by name, and what the file says of itself."""
    from safetensors.torch import save_file  # noqa: PLC0415 - only where asked for

    save_file(dict(weights), path, dict(metadata))


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """What `write_safetensors` wrote."""
    from safetensors.torch import load_file  # noqa: PLC0415 - only where there is one

    return dict(load_file(path))


def write_gguf(weights: Weights, metadata: Mapping[str, str], path: Path) -> None:
    """Tensors by name, a number alone as a vector of one; what the file says of itself as `modelyard.KEY` strings.

    Raises:
        ValueError: a tensor has a name or a shape that GGUF has no room for.
    """
    from gguf import GGUFWriter  # noqa: PLC0415 - only where asked for

    for name, tensor in weights.items():
        if len(name.encode()) > _LONGEST_NAME or tensor.ndim > 4:
            raise ValueError(
                f"{name} of {tensor.ndim} dimensions does not fit into GGUF, where names have at most {_LONGEST_NAME} "
                "bytes and tensors at most 4 dimensions; safetensors would be right"
            )
    writer = GGUFWriter(path, ARCHITECTURE)
    for key, value in metadata.items():
        writer.add_string(f"{KEY}{key}", value)
    for name, tensor in weights.items():
        writer.add_tensor(name, tensor.reshape(tensor.shape or (1,)).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_gguf(path: Path) -> dict[str, torch.Tensor]:
    """What `write_gguf` wrote."""
    from gguf import GGUFReader  # noqa: PLC0415 - only where there is one

    return {tensor.name: torch.from_numpy(tensor.data.copy()) for tensor in GGUFReader(path).tensors}


def like(weights: Weights, originals: Weights) -> dict[str, torch.Tensor]:
    """Weights from a file as the network takes them: in the shapes and the numbers of the originals."""
    return {name: tensor.reshape(originals[name].shape).to(originals[name].dtype) for name, tensor in weights.items()}


READERS = {ExportFormat.SAFETENSORS: read_safetensors, ExportFormat.GGUF: read_gguf}
WRITERS = {ExportFormat.SAFETENSORS: write_safetensors, ExportFormat.GGUF: write_gguf}
