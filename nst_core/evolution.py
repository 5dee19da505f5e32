"""How a picture came about, from snapshots of it: a contact sheet, and an animation.  Free of torch."""

import io
from collections.abc import Callable, Sequence
from typing import Literal

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from nst_core.contact_sheet import contact_sheet
from nst_core.picture import encode
from nst_core.profiles import srgb_profile

AnimationFormat = Literal["webp", "gif"]
ANIMATION_FORMATS: dict[AnimationFormat, str] = {"webp": "image/webp", "gif": "image/gif"}

#: Quality of the snapshots, which are JPEGs.
SNAPSHOT_QUALITY = 92

#: Long side in pixels to which the pictures of an animation, and those of a sheet, are reduced.
FRAME_SIDE = 512
CELL_SIDE = 256

#: Pictures side by side on a sheet.
COLUMNS = 5

#: Most pictures of an animation or a sheet, which bounds memory and time; of more, so many are taken, evenly spread.
MOST_FRAMES = 200

#: How long a frame is shown, and for how much longer the last one, in milliseconds.
FRAME_MILLISECONDS = 200
LAST_MILLISECONDS = 1500

#: From a step to its snapshot, a JPEG file.
Load = Callable[[int], bytes]


def evolution_sheet(steps: Sequence[int], load: Load) -> bytes:
    """A JPEG with the snapshots of these steps, at least one, side by side, each with its step below it.

    Early snapshots, of a smaller scale, are enlarged to the size of the largest.
    """
    steps = _spread(steps)
    pictures, captions = _frames(steps, load, CELL_SIDE), [f"iteration {step}" for step in steps]
    starts = range(0, len(steps), COLUMNS)
    sheet = contact_sheet(
        [pictures[k : k + COLUMNS] for k in starts], [captions[k : k + COLUMNS] for k in starts], cell=CELL_SIDE + 4
    )
    return encode(sheet, "jpeg")


def animation(
    steps: Sequence[int],
    load: Load,
    animation_format: AnimationFormat = "webp",
    milliseconds: int = FRAME_MILLISECONDS,
) -> bytes:
    """An endless animation of the snapshots of these steps, at least one, all at the size of the largest.

    Args:
        milliseconds: of each frame, 20 or more; the last one is shown for ``LAST_MILLISECONDS`` longer.
    """
    frames = _frames(_spread(steps), load, FRAME_SIDE)
    if animation_format == "gif":
        palette = _common_palette(frames)
        frames = [frame.quantize(palette=palette) for frame in frames]
    first, *others = frames
    options = {"icc_profile": srgb_profile()} if animation_format == "webp" else {}
    file = io.BytesIO()
    first.save(
        file,
        animation_format.upper(),
        save_all=True,
        append_images=others,
        duration=[*[milliseconds] * len(others), milliseconds + LAST_MILLISECONDS],
        loop=0,
        **options,
    )
    return file.getvalue()


def _spread(steps: Sequence[int]) -> list[int]:
    """All, or ``MOST_FRAMES`` evenly spread from the first to the last."""
    last = len(steps) - 1
    if last < MOST_FRAMES:
        return list(steps)
    return [steps[round(k * last / (MOST_FRAMES - 1))] for k in range(MOST_FRAMES)]


def _frames(steps: Sequence[int], load: Load, side: int) -> list[Image.Image]:
    """The snapshots in RGB, reduced to ``side`` and all of one size."""
    pictures = [_reduced(load(step), side) for step in steps]
    size = max(picture.size for picture in pictures)
    return [p if p.size == size else p.resize(size, Image.Resampling.BICUBIC) for p in pictures]


def _common_palette(frames: Sequence[Image.Image]) -> Image.Image:
    """An image with the palette for all frames, of a sample of their pixels."""
    # A palette for each frame would flicker, and take a second to find.
    side = 32
    sample = Image.new("RGB", (side, side * len(frames)))
    for k, frame in enumerate(frames):
        sample.paste(frame.resize((side, side), Image.Resampling.NEAREST), (0, side * k))
    return sample.quantize(256)


def _reduced(jpeg: bytes, side: int) -> Image.Image:
    # Not Image.open: the file is our own, and may have more pixels than Pillow lets strangers send.
    picture: Image.Image = JpegImageFile(io.BytesIO(jpeg))
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture.convert("RGB")
