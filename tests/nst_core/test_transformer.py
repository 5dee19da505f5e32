from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from nst_core.errors import CorruptWeights
from nst_core.transformer import ResizeConvolution, TransformerNetwork, vector_of


@pytest.fixture(scope="module")
def network() -> TransformerNetwork:
    torch.manual_seed(0)
    return TransformerNetwork((4, 6, 8), blocks=2).eval().requires_grad_(False)


def random_style(network: TransformerNetwork, seed: int) -> torch.Tensor:
    noise = torch.randn(2, network.vector_size, generator=torch.Generator().manual_seed(seed))
    return network.neutral_style() + 0.3 * noise


def image(height: int, width: int, count: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(height * width))


def test_a_resize_convolution_is_upsampling_and_a_convolution() -> None:
    torch.manual_seed(0)
    layer, x = ResizeConvolution(5, 4), torch.randn(2, 5, 7, 6)
    large = F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (1, 1, 1, 1), mode="reflect")
    torch.testing.assert_close(layer(x), F.conv2d(large, layer.weight), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (61, 47), (33, 130), (32, 35)])
def test_the_result_has_exactly_the_size_of_the_image(network: TransformerNetwork, height: int, width: int) -> None:
    painted = network(image(height, width), network.neutral_style())
    assert painted.shape == (1, 3, height, width)
    assert painted.isfinite().all()


def test_an_image_is_painted_the_same_in_a_batch_and_alone(network: TransformerNetwork) -> None:
    images, style = image(40, 48, 3), random_style(network, 1)
    alone = torch.cat([network(one[None], style) for one in images])
    torch.testing.assert_close(network(images, style), alone, atol=1e-5, rtol=0)


def test_the_same_image_and_style_give_the_same_picture(network: TransformerNetwork) -> None:
    style = random_style(network, 1)
    assert torch.equal(network(image(40, 48), style), network(image(40, 48), style))


def test_styles_differ_and_blend(network: TransformerNetwork) -> None:
    one, other = random_style(network, 1), random_style(network, 2)
    first, second, between = (network(image(40, 48), s) for s in (one, other, (one + other) / 2))
    distance = (first - second).pow(2).mean()
    assert distance > 1e-4
    assert (first - between).pow(2).mean() < distance
    assert (second - between).pow(2).mean() < distance


def test_flat_maps_stay_flat_up_to_their_borders_in_every_layer(network: TransformerNetwork) -> None:
    # With zero padding the borders would be painted differently.  One normalisation is at work at a time: all together
    # they would amplify the rounding errors of a flat image, which has no variance, into a pattern.
    flat = torch.full((1, 3, 48, 48), 0.4)
    starts = torch.tensor((0, *network.channels)).cumsum(0)
    for start, end in pairwise(starts):
        style = random_style(network, 3)
        kept = style[0, start:end].clone()
        style[0] = 0
        style[0, start:end] = kept
        painted = network(flat, style)
        torch.testing.assert_close(painted, painted[:, :, 24:25, 24:25].expand_as(painted), atol=1e-3, rtol=0)


def test_a_network_comes_back_from_its_file(network: TransformerNetwork, tmp_path: Path) -> None:
    save_file(network.state_dict(), tmp_path / "trunk.safetensors")
    again = TransformerNetwork.from_file(tmp_path / "trunk.safetensors").eval()
    style = random_style(network, 1)
    assert torch.equal(again(image(40, 48), style), network(image(40, 48), style))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CorruptWeights, match="does not hold a transformer network"):
        TransformerNetwork.from_file(tmp_path / "other.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"nothing")
    with pytest.raises(CorruptWeights, match="cannot be read"):
        TransformerNetwork.from_file(tmp_path / "damaged.safetensors")


def test_a_vector_between_two_sizes_is_between_theirs() -> None:
    vectors = torch.tensor([0.0, 1.0, 3.0]).view(3, 1, 1).expand(3, 2, 5)
    sizes = (256, 512, 1024)
    for size, expected in ((100, 0.0), (256, 0.0), (362, 0.5), (512, 1.0), (724, 2.0), (1024, 3.0), (4096, 3.0)):
        vector = vector_of(vectors, sizes, size)
        assert vector.shape == (2, 5)
        torch.testing.assert_close(vector, torch.full((2, 5), expected), atol=0.002, rtol=0)
    assert torch.equal(vector_of(vectors[:1], (512,), 1024), vectors[0])
