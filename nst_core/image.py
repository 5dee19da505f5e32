"""Pictures as tensors: (1, 3, H, W), RGB in [0, 1], float32."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from nst_core.deep import WHITE, DeepPicture, Picture


def to_tensor(picture: Picture, size: tuple[int, int] | None = None) -> Tensor:
    """An RGB picture as a tensor, resized to ``size`` (width, height) with Lanczos filtering when given."""
    if isinstance(picture, DeepPicture):
        return _deep_to_tensor(picture, size or picture.size)
    if size and picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    array = np.array(picture.convert("RGB"))
    return torch.from_numpy(array).permute(2, 0, 1)[None].float().div_(255)


def _deep_to_tensor(picture: DeepPicture, size: tuple[int, int]) -> Tensor:
    channels = np.moveaxis(picture.samples[..., :3], -1, 0).astype(np.float32)
    if picture.size != size:
        # Pillow resizes floating-point images of one channel, without rounding.
        resized = [Image.fromarray(channel).resize(size, Image.Resampling.LANCZOS) for channel in channels]
        channels = np.stack([np.asarray(channel) for channel in resized]).clip(0, WHITE)
    return torch.from_numpy(channels)[None] / WHITE


def to_deep_picture(image: Tensor) -> DeepPicture:
    """A tensor (1, 3, H, W) or (3, H, W) as an RGB picture of 16 bits; values outside [0, 1] are cut off."""
    array = image.detach().squeeze(0).clamp(0, 1).mul(WHITE).round().permute(1, 2, 0).cpu().numpy()
    return DeepPicture(np.ascontiguousarray(array, np.uint16))


def to_picture(image: Tensor) -> Image.Image:
    """A tensor (1, 3, H, W) or (3, H, W) as an RGB picture; values outside [0, 1] are cut off."""
    array = image.detach().squeeze(0).clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array)


def resize(image: Tensor, width: int, height: int) -> Tensor:
    """A tensor (N, C, H, W) at another size, bicubic."""
    if image.shape[2:] == (height, width):
        return image
    return F.interpolate(image, (height, width), mode="bicubic", antialias=True, align_corners=False)


def noise(width: int, height: int, seed: int) -> Tensor:
    """Noise around mid-grey, (1, 3, H, W) in [0, 1]; drawn on the CPU so that a seed means the same everywhere."""
    generator = torch.Generator().manual_seed(seed)
    return (0.5 + 0.15 * torch.randn(1, 3, height, width, generator=generator)).clamp(0, 1)
