"""Pictures side by side with captions, on one sheet.  Free of torch."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

#: Height in pixels of a line of a caption in Pillow's own font.
_LINE = 14


def contact_sheet(
    rows: Sequence[Sequence[Image.Image]], captions: Sequence[Sequence[str]], cell: int = 256
) -> Image.Image:
    """A labelled grid of RGB pictures, each fitted into a square of ``cell`` pixels; rows are as high as their highest.

    Args:
        rows: at least one, of at least one picture; they may differ in length.
        captions: one for each picture; they may have several lines.
    """
    small = [[_fitted(picture, cell - 4) for picture in row] for row in rows]
    lines = [1 + max(text.count("\n") for text in texts) for texts in captions]
    heights = [max(picture.height for picture in row) + 6 + _LINE * n for row, n in zip(small, lines, strict=True)]
    sheet = Image.new("RGB", (cell * max(map(len, rows)), sum(heights)), "white")
    draw, top = ImageDraw.Draw(sheet), 0
    for row, texts, n, height in zip(small, captions, lines, heights, strict=True):
        for x, (picture, text) in enumerate(zip(row, texts, strict=True)):
            sheet.paste(picture, (x * cell + 2, top + 2))
            draw.multiline_text((x * cell + 4, top + height - 2 - _LINE * n), text, fill="black")
        top += height
    return sheet


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small
