"""The weights of fast styles, and which of them stay on a device."""

import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from nst_core.errors import CorruptWeights, UnknownStyle
from nst_core.fast_models import FastModels, load_trunk, read_style
from nst_core.gallery import Gallery
from nst_core.transformer import TransformerNetwork

CPU = torch.device("cpu")


@pytest.fixture
def gallery(styles_dir: Path) -> Gallery:
    return Gallery(styles_dir)


@pytest.fixture
def damaged(styles_dir: Path, tmp_path: Path) -> Gallery:
    """A gallery whose files may be spoilt."""
    return Gallery(Path(shutil.copytree(styles_dir, tmp_path / "styles")))


def make_models(gallery: Gallery, vectors: float = 1000) -> FastModels:
    """A cache with room for the trunk and so many style vectors."""
    trunk = load_trunk(gallery)
    vector = read_style(gallery, "waves").vectors
    return FastModels(gallery, CPU, int(sum(p.nbytes for p in trunk.parameters()) + vectors * vector.nbytes))


def test_a_style_is_loaded_once(gallery: Gallery) -> None:
    models = make_models(gallery)
    assert "waves" not in models
    style = models.get("waves")
    assert "waves" in models
    again = models.get("waves")
    assert again.network is style.network
    assert again.vectors is style.vectors
    assert models.get("waves_color").network is style.network
    assert (models.hits, models.misses) == (1, 2)


@pytest.fixture
def self_contained(gallery: Gallery, tmp_path: Path) -> Gallery:
    """The same styles, each with a network of its own; the first in other widths."""
    folder = Path(shutil.copytree(gallery.folder, tmp_path / "own"))
    (folder / "trunk.safetensors").unlink()
    for style_id, widths in (("waves", (4, 4, 8)), ("waves_color", (8, 8, 16))):
        network = TransformerNetwork(widths, 1)
        save_file(network.state_dict() | {"style": network.neutral_style()}, folder / f"{style_id}.safetensors")
    return Gallery(folder)


def test_a_style_may_have_a_network_of_its_own(self_contained: Gallery) -> None:
    models = FastModels(self_contained, CPU)
    networks = {style_id: models.get(style_id).network for style_id in ("waves", "waves_color")}
    assert [network.channels[0] for network in networks.values()] == [4, 8]
    assert models.get("waves").network is networks["waves"]
    (models.max_bytes, before) = (1, models.bytes)
    models.gallery.styles["third"] = models.gallery["waves"]
    models.get("third")
    assert models.bytes < before
    assert "waves_color" not in models


def test_a_cache_tells_when_there_is_no_room_for_another_style(self_contained: Gallery) -> None:
    models = FastModels(self_contained, CPU)
    style = models.get("waves_color")
    network, vector = style.network, style.vectors
    assert not any(p.requires_grad for p in network.parameters())
    assert {p.dtype for p in (vector, *network.parameters())} == {torch.float32}
    assert not models.full
    models.max_bytes = models.bytes + 1
    assert models.full


def test_the_style_used_least_recently_makes_room(gallery: Gallery, styles_dir: Path, tmp_path: Path) -> None:
    models = make_models(gallery, vectors=2.5)
    third = Gallery(Path(shutil.copytree(styles_dir, tmp_path / "styles")))
    third.styles["third"] = third["waves"]
    models.gallery = third
    for style_id in ("waves", "waves_color", "waves", "third"):
        models.get(style_id)
    assert [name for name in third.styles if name in models] == ["waves", "third"]
    assert models.bytes <= models.max_bytes
    assert (models.hits, models.misses) == (1, 3)
    models.get("waves_color")
    assert [name for name in third.styles if name in models] == ["waves_color", "third"]


def test_the_style_in_use_stays_however_little_room_there_is(gallery: Gallery) -> None:
    models = FastModels(gallery, CPU, 1)
    for style_id in ("waves", "waves_color"):
        models.get(style_id)
        assert [name for name in gallery.styles if name in models] == [style_id]


def test_an_unknown_style_is_told_and_not_kept(gallery: Gallery) -> None:
    models = make_models(gallery)
    with pytest.raises(UnknownStyle):
        models.get("nothing")
    assert models.bytes == 0


def test_a_style_that_was_trained_anew_is_loaded_anew(gallery: Gallery) -> None:
    models = make_models(gallery)
    models.get("waves")
    digest = sha256((gallery.folder / "waves.safetensors").read_bytes()).hexdigest()
    gallery.styles["waves"] = replace(gallery["waves"], weights_sha256=digest)
    assert "waves" not in models
    models.get("waves")
    assert (models.hits, models.misses) == (0, 2)


@pytest.mark.parametrize("name", ["trunk.safetensors", "waves.safetensors"])
@pytest.mark.parametrize("spoilt", ["missing", "cut", "other", "narrow"])
def test_weights_that_are_not_what_they_should_be_are_told(damaged: Gallery, name: str, spoilt: str) -> None:
    file = damaged.folder / name
    if spoilt == "missing":
        file.unlink()
    elif spoilt == "cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        save_file({"style": torch.zeros(2, 3)} if spoilt == "narrow" else {"a": torch.zeros(1)}, file)
    with pytest.raises(CorruptWeights, match=name):
        make_models(damaged).get("waves")


def test_a_file_that_the_manifest_does_not_tell_of_is_refused(damaged: Gallery) -> None:
    damaged.styles["waves"] = replace(damaged["waves"], weights_sha256="1" * 64)
    with pytest.raises(CorruptWeights, match=r"waves\.safetensors is damaged or another style's"):
        make_models(damaged).get("waves")


def test_values_that_are_not_finite_are_refused(damaged: Gallery) -> None:
    file = damaged.folder / "waves.safetensors"
    style = load_file(file)["style"]
    style[0, 0] = torch.nan
    save_file({"style": style}, file)
    with pytest.raises(CorruptWeights, match="not finite"):
        make_models(damaged).get("waves")
