from pathlib import Path

import onnxruntime
import pytest
import torch

from nst_core.export import INPUT, OUTPUT, export_onnx
from nst_core.grain import grain
from nst_core.normalization import calibration_images
from nst_core.transformer import FastStyle, TransformerNetwork


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # of the exporter's own dependencies
def test_an_exported_style_paints_what_pytorch_paints(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = TransformerNetwork((4, 6, 8), blocks=1).eval()
    style = network.neutral_style() + 0.3 * torch.randn(2, network.vector_size)
    export_onnx(FastStyle(network, style[None], (512,), grain=0.1), 512, tmp_path / "style.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "style.onnx", providers=["CPUExecutionProvider"])
    for height, width in ((64, 80), (61, 47), (130, 96)):
        image = calibration_images(1, 130)[:, :, :height, :width]
        (painted,) = session.run([OUTPUT], {INPUT: image.numpy()})
        with torch.inference_mode():
            expected = network(image + 0.1 * grain(height, width), style).clamp(0, 1)
        torch.testing.assert_close(torch.from_numpy(painted), expected, atol=1e-4, rtol=0)
