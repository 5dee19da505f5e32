"""What of a photograph's EXIF data is true of the picture painted of it as well.  Free of torch."""

from PIL import Image
from PIL.ExifTags import IFD, Base

#: Of the main directory, what tells of the photograph.  The rest tells of the file; in a TIFF, where its pixels are.
_KEPT = (
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.HostComputer,
    Base.Copyright,
    Base.XPTitle,
    Base.XPComment,
    Base.XPAuthor,
    Base.XPKeywords,
    Base.XPSubject,
    Base.Rating,
)

#: Of the EXIF directory, what tells of the file rather than of the photograph.  The offsets within a maker's note are
#: those of the old file, and some have a preview in them.
_LEFT_OUT = frozenset(
    {
        Base.MakerNote,
        Base.ExifInteroperabilityOffset,
        Base.ExifImageWidth,
        Base.ExifImageHeight,
        Base.ComponentsConfiguration,
        Base.CompressedBitsPerPixel,
        Base.Gamma,
    }
)

#: What fits into a JPEG.
_LARGEST = 65_000

_UPRIGHT, _SRGB = 1, 1


def kept_exif(image: Image.Image) -> bytes | None:
    """Camera, date, place and the like of an image file, for the file of a picture that is upright and in sRGB.

    Pixel dimensions and thumbnails are left out.  None where there is nothing, or what there is is damaged or larger
    than 64 KB.
    """
    try:
        exif, kept = image.getexif(), Image.Exif()
        for tag in _KEPT:
            if tag in exif:
                kept[tag] = exif[tag]
        taken = {tag: value for tag, value in exif.get_ifd(IFD.Exif).items() if tag not in _LEFT_OUT}
        if taken:
            kept[IFD.Exif] = taken | {Base.ColorSpace: _SRGB}
        place = exif.get_ifd(IFD.GPSInfo)
        if place:
            kept[IFD.GPSInfo] = dict(place)
        if not len(kept):
            return None
        kept[Base.Orientation] = _UPRIGHT
        data = kept.tobytes()
    except Exception:  # damaged tags meet Pillow's reader and writer with any exception
        return None
    return data if len(data) <= _LARGEST else None
