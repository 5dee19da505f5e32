"""Snapshots of a picture on its way, in a folder beside it."""

from pathlib import Path
from typing import TYPE_CHECKING

from cli.console import fail, write

if TYPE_CHECKING:
    from client import NSTClient

SHEET = "sheet.jpg"
ANIMATION = "evolution.webp"


class SnapshotFolder:
    """``NAME-snapshots`` beside the picture ``NAME.png``; made when there is something to keep."""

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(f"{output.stem}-snapshots")
        self._steps: list[int] = []

    def add(self, step: int, jpeg: bytes) -> None:
        """Keep the picture of a step; they come in order."""
        self._write(self._name(step), jpeg)
        self._steps.append(step)

    def conclude(self) -> None:
        """Make the sheet and the animation of what was added, if anything."""
        from nst_core.evolution import animation, evolution_sheet

        if self._steps:
            self._write(SHEET, evolution_sheet(self._steps, self._load))
            self._write(ANIMATION, animation(self._steps, self._load))

    def fetch(self, client: "NSTClient", job_id: str) -> None:
        """Keep all that a service has of a job, if anything.

        Raises:
            ServiceError: it cannot be had.
        """
        for step in client.snapshots(job_id):
            self.add(step, client.snapshot(job_id, step))
        if self._steps:
            self._write(SHEET, client.snapshot(job_id, "sheet"))
            self._write(ANIMATION, client.snapshot(job_id, "animation"))

    def _load(self, step: int) -> bytes:
        return (self.path / self._name(step)).read_bytes()

    def _write(self, name: str, data: bytes) -> None:
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise fail(f"cannot make the folder {self.path}: {error.strerror}") from None
        write(self.path / name, data)

    @staticmethod
    def _name(step: int) -> str:
        return f"{step:04}.jpg"
