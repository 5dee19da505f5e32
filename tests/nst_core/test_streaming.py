import pytest
import torch

from nst_core import streaming
from nst_core.normalization import calibration_images
from nst_core.streaming import HALO, STRIP, paint_in_strips
from nst_core.transformer import STRIDE, TransformerNetwork


@pytest.mark.parametrize(("height", "width"), [(STRIP, 40), (2 * STRIP + 100, 61), (3 * STRIP + 3, 50), (90, 70)])
@torch.inference_mode()
def test_strips_give_what_the_whole_picture_gives(height: int, width: int) -> None:
    torch.manual_seed(height)
    network = TransformerNetwork((4, 6, 8), blocks=2).eval()
    style = network.neutral_style() + 0.3 * torch.randn(2, network.vector_size)
    image = calibration_images(1, max(height, width))[:, :, :height, :width]
    # Brightness that differs from top to bottom: statistics of a strip alone would be far off.
    image = image * torch.linspace(0.2, 1, height).view(1, 1, -1, 1)
    whole, strips = network(image, style), paint_in_strips(network, image, style)
    assert strips.shape == whole.shape
    torch.testing.assert_close(strips, whole, atol=1e-3, rtol=0)


def test_strips_borrow_enough_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert STRIP % STRIDE == HALO % STRIDE == 0
    torch.manual_seed(0)
    network = TransformerNetwork((4, 6, 8), blocks=1).eval()
    style, image = network.neutral_style(), calibration_images(1, 2 * STRIP)[:, :, :, :40]
    with torch.inference_mode():
        whole = network(image, style)
        monkeypatch.setattr(streaming, "HALO", 4)
        assert (paint_in_strips(network, image, style) - whole).abs().max() > 1e-3
