"""Fast styles as ONNX files, for programs without PyTorch: phones, browsers, other languages."""

import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from nst_core.grain import with_grain
from nst_core.options import SHORTEST_SIDE
from nst_core.transformer import FastStyle, TransformerNetwork

#: Names of the file's one input and one output, both (1, 3, height, width), RGB in [0, 1].
INPUT, OUTPUT = "image", "painted"


class _StyledNetwork(nn.Module):
    """A network with one style and its grain built in."""

    def __init__(self, network: TransformerNetwork, vector: Tensor, deviation: float) -> None:
        super().__init__()
        self.network, self.deviation = network, deviation
        self.register_buffer("vector", vector)

    def forward(self, image: Tensor) -> Tensor:
        painted: Tensor = self.network(with_grain(image, self.deviation), self.vector)
        return painted.clamp(0, 1)


def export_onnx(style: FastStyle, size: int, path: Path) -> None:
    """Writes one style with its network, float32, for images of any size.

    Args:
        style: on the CPU.
        size: of its strokes; see :meth:`FastStyle.vector`.
        path: of the ONNX file; takes some seconds.
    """
    # It tells what it does not simplify, which is nothing that users could change.
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    model = _StyledNetwork(style.network, style.vector(size), style.grain).eval().requires_grad_(False)
    sides = {2: torch.export.Dim("height", min=SHORTEST_SIDE), 3: torch.export.Dim("width", min=SHORTEST_SIDE)}
    program = torch.onnx.export(
        model,
        (torch.zeros(1, 3, 64, 80),),
        dynamo=True,
        verbose=False,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes={"image": sides},
    )
    assert program is not None  # with dynamo there is one
    program.save(str(path))
