"""Where encoders come from: our own weights in the package, torchvision's from a folder, its cache or a download."""

import copy
import hashlib
import os
import tempfile
import urllib.request
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Literal, cast

import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from nst_core.encoders import VGG, Compact, Encoder, read_safetensors
from nst_core.errors import CorruptWeights, WeightsUnavailable
from nst_core.normalization import normalize_activations
from nst_core.options import layer_names

VGGName = Literal["vgg16", "vgg19"]

#: Seconds without an answer after which a download counts as impossible.
DOWNLOAD_TIMEOUT = 10.0


def weights_url(name: VGGName) -> str:
    """Where torchvision publishes the weights; the file's name ends in the first 8 digits of its SHA-256."""
    enum = {"vgg16": torchvision.models.VGG16_Weights, "vgg19": torchvision.models.VGG19_Weights}[name]
    return str(enum.IMAGENET1K_V1.url)


def torchvision_cache() -> Path:
    """The folder in which torchvision keeps what it has downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def import_weights(
    file: Path, weights_dir: Path | None = None, *, name: VGGName | None = None, verify: bool = True
) -> Path:
    """Takes weights in torchvision's format over, convolutions only, as safetensors.

    Args:
        file: torchvision's ``vgg19-dcbb9e9d.pth`` or the like.
        weights_dir: where to write; by default beside torchvision's own downloads.
        name: by default told from the file's name.
        verify: compare the SHA-256 with the one that torchvision publishes; False for weights of one's own.

    Returns:
        The file written.

    Raises:
        CorruptWeights: the checksum differs or the content is not this network.
    """
    if name is None:
        if not file.name.startswith(("vgg16", "vgg19")):
            raise CorruptWeights(f"cannot tell from the name {file.name} whether this is vgg16 or vgg19")
        name = cast(VGGName, file.name[:5])
    if not file.is_file():
        raise CorruptWeights(f"there is no file {file.name}")
    expected = Path(weights_url(name)).stem.rpartition("-")[2]
    if verify and not _sha256(file).startswith(expected):
        raise CorruptWeights(
            f"{file.name} is damaged, or not torchvision's file: its SHA-256 does not begin {expected}"
        )
    encoder = VGG.from_torchvision(name, _read_torchvision(file))
    weights_dir = weights_dir or torchvision_cache()
    weights_dir.mkdir(parents=True, exist_ok=True)
    target = weights_dir / f"{name}.safetensors"
    # Under a name of its own: two workers may fetch the same weights at once.
    partial = target.with_suffix(f".{os.getpid()}.partial")
    save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, partial, metadata={"encoder": name})
    return partial.replace(target)


def fetch_weights(
    name: VGGName, weights_dir: Path | None = None, report: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Downloads torchvision's weights (about 550 MB) and imports them.

    Args:
        report: is told the bytes done and the bytes in all (0: unknown).

    Raises:
        WeightsUnavailable: no answer from the server, or a damaged download.
    """
    url = weights_url(name)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / url.rpartition("/")[2]
        try:
            with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT) as response, file.open("wb") as out:  # noqa: S310
                total = int(response.headers.get("Content-Length", 0))
                while block := response.read(1 << 20):
                    out.write(block)
                    report(out.tell(), total)
        except OSError as error:
            raise WeightsUnavailable(
                f"the weights of {name} are not on this machine and cannot be downloaded ({error}); "
                f"get the file elsewhere and run: nst weights import FILE"
            ) from None
        return import_weights(file, weights_dir, name=name)


def load_encoder(name: str, weights_dir: Path | None = None, *, download: bool = True) -> Encoder:
    """An encoder by its name, on the CPU, frozen.

    VGG's weights are looked for in ``weights_dir``, then among torchvision's downloads, then downloaded when allowed.

    Raises:
        InvalidOptions: there is no encoder of this name.
        WeightsUnavailable: its weights are nowhere to be had; there is never a substitute.
    """
    layer_names(name)
    encoder = _load_compact() if name == "compact" else _load_vgg(cast(VGGName, name), weights_dir, download)
    return encoder.eval().requires_grad_(False)


def _load_compact() -> Compact:
    resource = resources.files("nst_core") / "weights" / "compact.safetensors"
    with resources.as_file(resource) as path:
        return Compact.from_file(path)


def _load_vgg(name: VGGName, weights_dir: Path | None, download: bool) -> VGG:
    folder = weights_dir or torchvision_cache()
    imported = folder / f"{name}.safetensors"
    if not imported.is_file():
        cached = torchvision_cache() / weights_url(name).rpartition("/")[2]
        if cached.is_file():
            imported = import_weights(cached, folder, name=name)
        elif download:
            imported = fetch_weights(name, folder)
        else:
            raise WeightsUnavailable(
                f"the weights of {name} are not on this machine and downloads are turned off; "
                f"run: nst weights fetch {name}"
            )
    encoder = VGG(name)
    try:
        encoder.load_state_dict(read_safetensors(imported))
    except RuntimeError as error:
        raise CorruptWeights(f"{imported.name} does not hold {name}: {error}") from None
    return encoder


def _read_torchvision(file: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)  # tensors only, nothing is executed
    except Exception as error:  # torch raises many types for a damaged file
        raise CorruptWeights(f"{file.name} cannot be read: {error}") from None
    if not isinstance(state, dict):
        raise CorruptWeights(f"{file.name} does not hold a state dict")
    return state


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class EncoderCache:
    """Encoders kept ready on one device between pictures."""

    def __init__(self, device: torch.device, weights_dir: Path | None = None, *, download: bool = True) -> None:
        self.device, self.weights_dir, self.download = device, weights_dir, download
        self._encoders: dict[tuple[str, bool], Encoder] = {}

    def get(self, name: str, *, normalized: bool = False) -> Encoder:
        """The encoder, loaded at the first call; ``normalized`` to a mean activation of 1 per channel.

        Raises:
            InvalidOptions, WeightsUnavailable: as :func:`load_encoder`.
        """
        key = (name, normalized)
        if key not in self._encoders:
            if normalized:
                encoder = copy.deepcopy(self.get(name))
                encoder.pooling = "average"  # whatever the last picture was painted with
                normalize_activations(encoder)
            else:
                encoder = load_encoder(name, self.weights_dir, download=self.download).to(self.device)
            self._encoders[key] = encoder
        return self._encoders[key]

    @property
    def loaded(self) -> list[str]:
        """The encoders that are here."""
        return sorted({name for name, _ in list(self._encoders)})

    def __contains__(self, key: tuple[str, bool]) -> bool:
        return key in self._encoders
