"""How much memory the iterative engine takes, and how much there is."""

import logging
from pathlib import Path

import psutil
import torch

from nst_core.errors import TooLittleMemory
from nst_core.objective import TILE_STEP
from nst_core.options import GatysOptions
from nst_core.style_losses import is_additive

logger = logging.getLogger(__name__)

#: Bytes per pixel of what an iteration keeps for its gradient, by encoder: measured in float32 on CPU.
GRADIENT_BYTES = {"compact": 1400, "vgg16": 4200, "vgg19": 4200}

#: The same besides, for the image, the content's features and the optimiser's next step, at every size.
IMAGE_BYTES = 160

#: For each step that L-BFGS remembers: it and its change of gradient, three channels in float32.
HISTORY_BYTES = 2 * 3 * 4

#: Of a style image, for which no gradient is kept, as a share of that; measured with the compact encoder.
STYLE_SHARE = 0.33

#: What each mask adds to an iteration, as a share of the same.
REGION_SHARE = 0.12

#: What sorting costs besides, in the multiple of a gradient's memory.
SORTING = 1.8

#: The largest tile is tried first; a tile may be half as large again in each direction.
TILES = (2048, 1536, 1024, 768, 512, 384, 256)
LARGEST_TILE = 1.5

#: Where a container finds its own control group.
CONTROL_GROUP = Path("/sys/fs/cgroup")

#: The share of the free memory that a picture may take.
SHARE = 0.8


def needed_bytes(width: int, height: int, options: GatysOptions, tile: int | None = None, *, masks: int = 0) -> int:
    """An estimate of what painting takes at this size, besides the encoder's weights; by tiles when given."""
    pixels, style_pixels = width * height, _style_side(width, height, options) ** 2
    most = round((LARGEST_TILE * tile) ** 2) if tile else pixels + style_pixels
    gradient = GRADIENT_BYTES[options.encoder] * (SORTING if not is_additive(options.style_loss) else 1.0)
    iteration = min(pixels, most) * gradient * (1 + REGION_SHARE * max(0, masks - 1))
    style = min(style_pixels, most) * gradient * STYLE_SHARE if options.uses_style else 0
    history = HISTORY_BYTES * min(options.history, options.iterations) if options.optimizer == "lbfgs" else 0
    return round(max(iteration, style) + pixels * (IMAGE_BYTES + history))


def _style_side(width: int, height: int, options: GatysOptions) -> int:
    """Long side of the style images, which may be square."""
    return options.style_size or max(width, height)


def tiles_matter(tile: int, width: int, height: int, options: GatysOptions) -> bool:
    """Whether the picture or a style image is larger than a tile."""
    return tile < max(width, height, _style_side(width, height, options) if options.uses_style else 0)


def free_bytes(device: torch.device) -> int:
    """What is free on a device at the moment; on CPU within the limit of the container, if there is one."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What PyTorch keeps for later use is free, too.
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    machine: int = psutil.virtual_memory().available
    container = _free_in_group(CONTROL_GROUP)
    return machine if container is None else min(machine, container)


def _free_in_group(folder: Path) -> int | None:
    """Bytes that a control group of Linux (version 2) has left; None without a limit or such a group."""
    try:
        limit, used = (int((folder / f"memory.{name}").read_text()) for name in ("max", "current"))
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such file; no limit ("max")
        return None
    # Pages of files that nobody has used for a while are given back when memory is needed.
    return max(0, limit - used + int(counts.get("inactive_file", 0)))


def tile_for(width: int, height: int, options: GatysOptions, free: int, *, masks: int = 0) -> int | None:
    """The side of the tiles in which a picture of this size is painted; None when it fits as a whole.

    Args:
        free: bytes.
        masks: how many there are.

    Raises:
        TooLittleMemory: it fits by no means.
    """
    allowed = SHARE * free
    whole = needed_bytes(width, height, options, masks=masks)
    asked = options.tile if options.tile and tiles_matter(options.tile, width, height, options) else None
    if whole <= allowed and not asked:
        return None
    if asked:
        tiles = [asked]
    else:
        useful = [tile for tile in TILES if tiles_matter(tile, width, height, options)]
        tiles = useful if is_additive(options.style_loss) else []
    for tile in tiles:
        if needed_bytes(width, height, options, tile, masks=masks) <= allowed:
            if not asked:
                logger.info("%d x %d pixels would take %d MB, painted in tiles of %d", width, height, whole >> 20, tile)
            return tile
    least = needed_bytes(width, height, options, tiles[-1], masks=masks) if tiles else whole
    advice = "a smaller size" + (", or optimizer=adam" if options.optimizer == "lbfgs" else "")
    raise TooLittleMemory(
        f"{width} x {height} pixels take about {least / 1e9:.1f} GB{', also in tiles' if tiles else ''}, "
        f"and {free / 1e9:.1f} GB are free; ask for {advice}"
    )


def smaller_tile(tile: int | None, width: int, height: int, options: GatysOptions) -> int | None:
    """The next smaller side of tiles, for a picture that turned out not to fit; None when there is none."""
    if not is_additive(options.style_loss):
        return None
    sides = width, height, _style_side(width, height, options) if options.uses_style else 0
    longest = max(sides) if tile is None else tile
    half = longest // 2 // TILE_STEP * TILE_STEP
    return half if half >= TILES[-1] else None
