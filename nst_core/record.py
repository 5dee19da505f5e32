"""What a picture was made of and with, for making it again: in the picture's file or beside it.  Free of torch.

A record has the shape of a job, so that a job's document is one as well.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from time import perf_counter
from typing import Any, Protocol, Self, TypeVar

from nst_core.errors import NSTError

#: The keyword of the PNG text chunk.
KEY = "nst"


class NoRecord(NSTError, ValueError):
    """There is no record of how a picture was made."""


@cache
def version() -> str:
    """Of this program."""
    return metadata.version("nst-server")


@dataclass(frozen=True, kw_only=True)
class ScaleTime:
    """What one scale of the pyramid took.

    Attributes:
        width, height: of the image at this scale, in pixels.
        seconds: of computing, without what was done with the iterates.
    """

    width: int
    height: int
    iterations: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Record:
    """How a picture was made.

    Attributes:
        method: the engine, ``gatys`` or ``fast``.
        params: every parameter with the value in force: the engine's options, and those of a job.
        content_sha256, style_sha256, mask_sha256, init_sha256: of the files it was made of, in hexadecimal.
        weights_sha256: of each trained style's weights; empty text where the gallery does not know.
        losses, similarity: see the job's ``output``.
        device: where it was computed.
        stages: what each scale of the pyramid took; none where that is told elsewhere.
        version: of the program; empty when unknown.
    """

    method: str
    params: Mapping[str, Any]
    content_sha256: str | None = None
    style_sha256: Sequence[str] = ()
    mask_sha256: Sequence[str] = ()
    init_sha256: str | None = None
    weights_sha256: Sequence[str] = ()
    losses: Mapping[str, float] = field(default_factory=dict)
    similarity: float | None = None
    device: str | None = None
    stages: Sequence[ScaleTime] = ()
    version: str = field(default_factory=version)

    def to_json(self) -> str:
        """As :meth:`from_json` reads it; the same record gives the same text."""
        names = ("params", "content_sha256", "style_sha256", "mask_sha256", "init_sha256", "weights_sha256")
        document: dict[str, Any] = {
            "version": self.version,
            "method": self.method,
            "input": {name: getattr(self, name) for name in names},
            "output": {"losses": self.losses, "similarity": self.similarity},
            "metrics": {"device": self.device},
        }
        if self.stages:
            document["metrics"]["stages"] = [asdict(stage) for stage in self.stages]
        return json.dumps(document, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """What is needed for making the picture again, from a record or the document of a job.

        Raises:
            NoRecord: it is neither.
        """
        try:
            document = json.loads(text)
            made_of = document["input"]
            params, style_sha256 = made_of["params"], made_of["style_sha256"]
            if not (isinstance(params, dict) and isinstance(document["method"], str)):
                raise NoRecord
            return cls(
                version=document.get("version", ""),
                method=document["method"],
                params=params,
                content_sha256=made_of["content_sha256"],
                style_sha256=style_sha256,
                mask_sha256=made_of.get("mask_sha256", []),
                init_sha256=made_of.get("init_sha256"),
                weights_sha256=made_of.get("weights_sha256", []),
            )
        except (ValueError, LookupError, TypeError, AttributeError):
            raise NoRecord from None

    @classmethod
    def from_file(cls, data: bytes) -> Self:
        """The record in a PNG, or a file of JSON.

        Raises:
            NoRecord: there is none in it.
        """
        # Imported here: the command line is at hand before Pillow is.
        from PIL import Image

        if not data.startswith(b"\x89PNG"):
            return cls.from_json(data)
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                image.load()  # the chunk may stand behind the pixels
                return cls.from_json(getattr(image, "text", {})[KEY])
        except NoRecord:
            raise
        except Exception:  # a decoder meets a damaged file with any exception
            raise NoRecord from None


class _Sized(Protocol):
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


T = TypeVar("T", bound=_Sized)


class ScaleClock:
    """Measures what each scale takes, while the iterates of an optimisation pass through."""

    def __init__(self) -> None:
        self.scales: list[ScaleTime] = []

    def watch(self, iterates: Iterable[T]) -> Iterator[T]:
        """The same iterates; what is done with them between two is not counted."""
        began = perf_counter()
        for iterate in iterates:
            seconds, done, size = perf_counter() - began, 0, (iterate.width, iterate.height)
            if self.scales and (self.scales[-1].width, self.scales[-1].height) == size:
                last = self.scales.pop()
                seconds, done = last.seconds + seconds, last.iterations
            self.scales.append(ScaleTime(width=size[0], height=size[1], iterations=done + 1, seconds=seconds))
            yield iterate
            began = perf_counter()
