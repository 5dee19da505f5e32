"""Training pictures: folders of photographs and paintings as random, augmented crops."""

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from nst_core.errors import TrainingFailed
from nst_core.options import PHOTOGRAPH_SIDE, SHORTEST_SIDE

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


#: What Pillow's decoders raise for files that are damaged.
DAMAGED = (
    *(OSError, ValueError, SyntaxError, TypeError, LookupError, EOFError, OverflowError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)

#: Photographs of a training, at most: they are held in memory, about a megabyte each.
MOST_IMAGES = 4000


def find_images(folder: Path, most: int = MOST_IMAGES) -> list[Path]:
    """The image files below a folder, sorted; of more than ``most``, so many spread evenly over all.

    Raises:
        TrainingFailed: the folder does not exist or holds no image file.
    """
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not found:
        raise TrainingFailed(f"there are no images in {folder}")
    return [found[k * len(found) // most] for k in range(most)] if len(found) > most else found


class TrainingImages:
    """Pictures held in memory (uint8), from which random crops are cut.

    Unreadable files are skipped and counted in ``skipped``.

    Args:
        images: image files, or RGB pictures.
        crop: side of the crops, in pixels.
        long_side: pictures are reduced to it, so that a few thousand fit in memory.
        scales: a crop shows the picture reduced or enlarged by a random factor of this range.
    """

    def __init__(
        self,
        images: Iterable[Path | Image.Image],
        crop: int,
        *,
        long_side: int = PHOTOGRAPH_SIDE,
        scales: tuple[float, float] = (0.5, 1.25),
    ) -> None:
        self.crop, self.scales, self.skipped = crop, scales, 0
        self.pictures: list[Tensor] = []
        for item in images:
            try:
                image = item.copy() if isinstance(item, Image.Image) else _read(item)
            except DAMAGED:
                self.skipped += 1
                continue
            image.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
            if min(image.size) < SHORTEST_SIDE:
                self.skipped += 1
                continue
            self.pictures.append(torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous())
        if not self.pictures:
            raise TrainingFailed("none of the training images can be read")

    def __len__(self) -> int:
        return len(self.pictures)

    def draw(self, count: int, generator: torch.Generator, scales: tuple[float, float] | None = None) -> Tensor:
        """``count`` random crops, (count, 3, crop, crop) in [0, 1], flipped at random.

        Args:
            scales: instead of those of the pictures.
        """
        if count == 0:
            return torch.empty(0, 3, self.crop, self.crop)
        return torch.stack([self._draw_one(generator, scales or self.scales) for _ in range(count)])

    def _draw_one(self, generator: torch.Generator, scales: tuple[float, float]) -> Tensor:
        def uniform(low: float, high: float) -> float:
            return low + (high - low) * float(torch.rand((), generator=generator))

        picture = self.pictures[int(torch.randint(len(self.pictures), (), generator=generator))]
        _, height, width = picture.shape
        side = round(min(self.crop / uniform(*scales), height, width))
        top, left = int(uniform(0, height - side + 1)), int(uniform(0, width - side + 1))
        patch = picture[None, :, top : top + side, left : left + side].float() / 255
        if side != self.crop:
            patch = F.interpolate(patch, (self.crop, self.crop), mode="bilinear", antialias=True, align_corners=False)
        return (patch.flip(3) if uniform(0, 1) < 0.5 else patch)[0]


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Colour, contrast and noise changes of a random half of a batch (N, 3, H, W); values stay in [0, 1]."""
    n = images.shape[0]

    def random(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator).to(images.device)

    chosen = (random(n, 1, 1, 1) < 0.5).float()
    gain, shift = 0.7 + 0.6 * random(n, 3, 1, 1), 0.3 * random(n, 3, 1, 1) - 0.15
    sigma = 0.12 * random(n, 1, 1, 1).pow(2)
    noise = torch.randn(images.shape, generator=generator).to(images.device) * sigma
    changed = (images - 0.5) * gain + 0.5 + shift + noise
    return torch.lerp(images, changed, chosen).clamp(0, 1)


def _read(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return ImageOps.exif_transpose(file).convert("RGB")
