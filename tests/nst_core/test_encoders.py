from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

import cli
from nst_core import pretrained
from nst_core.encoders import VGG, Compact, Encoder
from nst_core.errors import CorruptWeights, InvalidOptions, WeightsUnavailable
from nst_core.image import to_tensor
from nst_core.losses import gram_matrix
from nst_core.normalization import calibration_images, normalize_activations
from nst_core.options import layer_names
from nst_core.picture import decode
from nst_core.pretrained import EncoderCache, import_weights, load_encoder


@pytest.fixture(scope="module")
def compact() -> Encoder:
    return load_encoder("compact")


def _torchvision_state(name: str) -> dict[str, torch.Tensor]:
    """Random weights in torchvision's own layout; the classifier, 500 MB of it, is left out."""
    torch.manual_seed(0)
    with torch.device("meta"):
        model = getattr(torchvision.models, name)(weights=None)
    return {k: torch.randn(v.shape) * 0.05 for k, v in model.state_dict().items() if k.startswith("features")}


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_vgg_computes_what_torchvision_computes(name: str) -> None:
    state = _torchvision_state(name)
    encoder = VGG.from_torchvision(name, state)  # type: ignore[arg-type]
    encoder.pooling = "max"
    with torch.device("meta"):
        reference = getattr(torchvision.models, name)(weights=None).features
    reference.to_empty(device="cpu").load_state_dict({k.removeprefix("features."): v for k, v in state.items()})
    image = torch.rand(1, 3, 64, 64)
    normalized = torchvision.transforms.functional.normalize(image, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    convolution, relu = {"vgg16": (24, 25), "vgg19": (28, 29)}[name]
    found = encoder(image, ("conv5_1", "relu5_1"))
    for module in reference:
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    for layer, place in (("conv5_1", convolution), ("relu5_1", relu)):
        expected = reference[: place + 1](normalized).detach()
        torch.testing.assert_close(found[layer], expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_vgg_refuses_a_state_of_another_network() -> None:
    with pytest.raises(CorruptWeights, match="vgg19"):
        VGG.from_torchvision("vgg19", _torchvision_state("vgg16"))


def test_encoder_names_its_layers_as_the_options_do(compact: Encoder) -> None:
    assert compact.layers == layer_names("compact")
    assert VGG("vgg16").layers == layer_names("vgg16")
    assert VGG("vgg19").layers == layer_names("vgg19")


def test_relu_is_what_is_above_zero_of_conv(compact: Encoder) -> None:
    found = compact(torch.rand(1, 3, 48, 64), layer_names("compact"))
    assert set(found) == set(layer_names("compact"))
    for name in compact.names:
        torch.testing.assert_close(found[f"relu{name}"], found[f"conv{name}"].relu())


def test_feature_maps_halve_from_block_to_block(compact: Encoder) -> None:
    found = compact(torch.rand(1, 3, 64, 96), ("relu1_1", "relu3_1", "relu5_1"))
    assert {k: tuple(v.shape[2:]) for k, v in found.items()} == {
        "relu1_1": (64, 96),
        "relu3_1": (16, 24),
        "relu5_1": (4, 6),
    }


def test_an_unknown_layer_is_refused(compact: Encoder) -> None:
    with pytest.raises(InvalidOptions, match="relu6_1"):
        compact(torch.rand(1, 3, 32, 32), ("relu6_1",))


def test_poolings_differ(compact: Encoder) -> None:
    image = torch.rand(1, 3, 32, 32)
    average = compact(image, ("relu2_1",))["relu2_1"]
    compact.pooling = "max"
    try:
        assert not torch.equal(average, compact(image, ("relu2_1",))["relu2_1"])
    finally:
        compact.pooling = "average"


def test_shipped_weights_are_small(compact: Encoder) -> None:
    file = Path(pretrained.__file__).parent / "weights" / "compact.safetensors"
    assert file.stat().st_size <= 4_000_000
    assert file.with_name("compact.md").is_file()


def test_shipped_weights_see_more_than_random_ones(compact: Encoder) -> None:
    # Features of a picture and of the picture a pixel aside are near, those of two pictures are far apart.
    images = calibration_images(2, 96)
    features = compact(torch.cat([images, images[:1].roll(2, 3)]), ("relu4_1",))["relu4_1"].mean((2, 3))
    assert (features[0] - features[2]).norm() < 0.2 * (features[0] - features[1]).norm()


def test_corrupt_weights_are_named(tmp_path: Path) -> None:
    file = tmp_path / "compact.safetensors"
    with pytest.raises(CorruptWeights):
        Compact.from_file(file)
    file.write_bytes(b"\x10\0\0\0\0\0\0\0 not safetensors")
    with pytest.raises(CorruptWeights):
        Compact.from_file(file)
    save_file({"other": torch.zeros(1)}, file)
    with pytest.raises(CorruptWeights, match="does not hold a compact encoder"):
        Compact.from_file(file)


def test_weight_normalisation_gives_channels_a_mean_of_one() -> None:
    encoder = normalize_activations(load_encoder("compact"))
    with torch.no_grad():
        found = encoder(calibration_images(), ("relu2_1", "relu4_2"))
    for features in found.values():
        means = features.mean((0, 2, 3))
        assert means.max() < 1.001
        assert (means > 0.999).float().mean() > 0.4  # the others are quiet and not scaled up without bounds


def test_no_channel_dominates_the_gram_matrices_of_a_picture_after_normalisation() -> None:
    picture = Path(cli.__file__).parent / "samples" / "content_harbour.jpg"
    image = to_tensor(decode(picture.read_bytes()), (256, 192))
    layers = ("relu3_1", "relu4_1", "relu5_1")
    encoder = EncoderCache(torch.device("cpu")).get("compact", normalized=True)
    for features in encoder(image, layers).values():
        energy = gram_matrix(features)[0].square().sum(0)
        assert energy.max() / energy.sum() < 0.5


def test_normalisation_does_not_depend_on_what_was_painted_before() -> None:
    fresh, used = EncoderCache(torch.device("cpu")), EncoderCache(torch.device("cpu"))
    used.get("compact").pooling = "max"
    a, b = (cache.get("compact", normalized=True).state_dict() for cache in (fresh, used))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_weight_normalisation_only_scales_channels() -> None:
    plain, normalized = load_encoder("compact"), normalize_activations(load_encoder("compact"))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        a, b = (e(image, ("relu3_1",))["relu3_1"] for e in (plain, normalized))
    seen = a.sum((0, 2, 3)) > 1e-3
    factors = (b.sum((0, 2, 3)) / a.sum((0, 2, 3)))[seen]
    torch.testing.assert_close(b[:, seen], a[:, seen] * factors.view(1, -1, 1, 1), rtol=1e-3, atol=1e-4)


class TestWeights:
    @pytest.fixture(autouse=True)
    def _own_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def test_missing_weights_are_never_substituted(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsUnavailable, match="nst weights"):
            load_encoder("vgg19", tmp_path, download=False)

    def test_a_server_that_cannot_be_reached(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pretrained, "weights_url", lambda name: f"http://127.0.0.1:9/{name}-00000000.pth")
        with pytest.raises(WeightsUnavailable, match="cannot be downloaded"):
            load_encoder("vgg19", tmp_path)

    def test_import_and_load(self, tmp_path: Path) -> None:
        state = _torchvision_state("vgg16")
        torch.save(state, tmp_path / "vgg16-my-own.pth")
        with pytest.raises(CorruptWeights, match="SHA-256"):
            import_weights(tmp_path / "vgg16-my-own.pth", tmp_path)
        written = import_weights(tmp_path / "vgg16-my-own.pth", tmp_path, verify=False)
        assert written == tmp_path / "vgg16.safetensors"
        encoder = load_encoder("vgg16", tmp_path, download=False)
        image = torch.rand(1, 3, 32, 32)
        expected = VGG.from_torchvision("vgg16", state)(image, ("relu3_3",))["relu3_3"]
        torch.testing.assert_close(encoder(image, ("relu3_3",))["relu3_3"], expected)

    def test_import_refuses_what_is_not_weights(self, tmp_path: Path) -> None:
        file = tmp_path / "vgg19.pth"
        with pytest.raises(CorruptWeights, match="there is no file"):
            import_weights(file, tmp_path, verify=False)
        file.write_bytes(b"nonsense")
        with pytest.raises(CorruptWeights, match="cannot be read"):
            import_weights(file, tmp_path, verify=False)
        with pytest.raises(CorruptWeights, match="whether this is vgg16 or vgg19"):
            import_weights(tmp_path / "model.pth", tmp_path)


def test_cache_loads_once() -> None:
    cache = EncoderCache(torch.device("cpu"))
    assert ("compact", False) not in cache
    first = cache.get("compact")
    assert ("compact", False) in cache
    assert cache.get("compact") is first
    assert cache.get("compact", normalized=True) is not first
    with pytest.raises(InvalidOptions):
        cache.get("resnet")
