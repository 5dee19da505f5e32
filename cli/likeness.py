"""Painting once more as a picture was painted: its record, read and written."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from cli.console import fail, warn, write
from cli.engine_options import Pictures
from cli.painting import Painted
from nst_core.options import FAST_OPTIONS, OPTIONS, AutoMask
from nst_core.record import NoRecord, Record, version

#: The options of each engine.
_OPTIONS_OF: dict[str, Any] = {"gatys": OPTIONS, "fast": FAST_OPTIONS}

#: Options that leave the picture as it is, and are asked for anew.
_NOT_OF_THE_PICTURE = {"snapshot_every"}


class Likeness:
    """The record of a picture that was painted before, from which the command line takes what it does not say.

    Args:
        path: a PNG of this program, or JSON: what lies beside other formats, or the document of a job.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.record = Record.from_file(path.read_bytes())
        except NoRecord:
            message = f"{path.name} does not tell how it was painted; give a PNG of nst, or the JSON beside the picture"
            raise fail(message) from None
        if self.record.method not in _OPTIONS_OF:
            raise fail(f"{path.name} was not painted, but is of a job of method {self.record.method}")
        mask = self.record.params.get("auto_mask")
        if mask is not None and mask not in get_args(AutoMask):
            raise fail(f"{path.name}: auto_mask must be one of {', '.join(get_args(AutoMask))}")

    @property
    def options(self) -> dict[str, Any]:
        """The engine's options by name."""
        known = _OPTIONS_OF[self.record.method].keys() - _NOT_OF_THE_PICTURE
        found = {name: value for name, value in self.record.params.items() if name in known}
        if found.get("style_size") == found.get("size"):  # it follows a size that the command line gives
            found.pop("style_size", None)
        return found

    def completed(self, pictures: Pictures, engine: Mapping[str, Any]) -> Pictures:
        """With the trained styles and the automatic mask, where the command line names none of their kind.

        Args:
            engine: the options in force.
        """
        params = self.record.params
        recorded = str(params.get("style_id") or "")
        wanted = engine.get("init") == "fast" if self.record.method == "gatys" else not pictures.styles
        if recorded and wanted and not pictures.style_ids:
            pictures = replace(pictures, style_ids=recorded.split(","))
        if not (pictures.masks or pictures.auto_mask):
            pictures = replace(pictures, auto_mask=params.get("auto_mask"))
        return pictures

    def check(self, pictures: Pictures) -> None:
        """End when these pictures are for the other engine; warn about each that is not the one of the record."""
        if pictures.method != self.record.method:
            raise fail(f"{self.path.name} was painted by the engine {self.record.method}, not {pictures.method}")
        if self.record.version not in ("", version()):
            warn(f"{self.path.name} was painted by version {self.record.version}; this is {version()}")
        recorded, given = vars(self.record), digests(pictures)
        for what, paths in _files(pictures).items():
            wanted, here = (_listed(source[f"{what}_sha256"]) for source in (recorded, given))
            if len(wanted) != len(here):
                warn(f"{self.path.name} was painted with {len(wanted)} as {what}, not {len(here)}")
                continue
            for path, digest, other in zip(paths, here, wanted, strict=True):
                if digest != other:
                    warn(f"{path.name} is not the {what} that {self.path.name} was painted with")

    def check_weights(self, weights_sha256: list[str]) -> None:
        """Warn when trained styles have been trained anew."""
        wanted = _listed(self.record.weights_sha256)
        if wanted and wanted != weights_sha256:
            warn(f"the weights of the styles are not those that {self.path.name} was painted with")


def digests(pictures: Pictures) -> dict[str, Any]:
    """SHA-256 of the files, by the names that a record has for them."""
    found: dict[str, Any] = {}
    for what, paths in _files(pictures).items():
        found[f"{what}_sha256"] = [sha256(path.read_bytes()).hexdigest() for path in paths]
    return found | {name: next(iter(found[name]), None) for name in ("content_sha256", "init_sha256")}


def record_of(painted: Painted, pictures: Pictures, device: Any, **params: Any) -> Record:
    """How a picture was just painted.

    Args:
        params: what a job has besides the engine's options.
    """
    style_ids = {"style_id": ",".join(painted.style_ids)} if painted.style_ids else {}
    return Record(
        method=pictures.method,
        params=painted.options | style_ids | {"auto_mask": pictures.auto_mask} | params,
        **digests(pictures),
        weights_sha256=painted.weights_sha256,
        losses=painted.losses,
        similarity=painted.similarity,
        device=str(device),
        stages=painted.stages,
    )


def write_record(output: Path, json: str) -> None:
    """Writes the record of a picture beside it."""
    write(output.with_name(f"{output.name}.json"), f"{json}\n".encode())


def _files(pictures: Pictures) -> dict[str, list[Path]]:
    return {
        "content": [pictures.content] if pictures.content else [],
        "style": pictures.styles,
        "mask": pictures.masks,
        "init": [pictures.initial] if pictures.initial else [],
    }


def _listed(value: Any) -> list[str]:
    """One digest, some or none as a list."""
    return list(value) if isinstance(value, list | tuple) else [value] if value else []
