"""ONNX for Sony's IMX500, a camera that runs networks itself, as its converter for PyTorch takes it.

What that takes is known from two packages that Sony publishes under Apache-2.0: edge-mdt-tpc 1.3.0, whose description
6.0 of the platform names operators and numbers, and mct-quantizers, whose ONNX operators say how numbers are rounded.
The converter itself has a licence of its own and was never run here.
"""


class NotForImx500(Exception):
    """The network has operators that nobody says the converter takes; the message names them."""
