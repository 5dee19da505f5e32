"""The gallery of a service: the styles of a folder, and those that users added."""

from collections.abc import Iterable
from pathlib import Path

from typing_extensions import override

from jobs.errors import StyleNotRemovable
from jobs.styles import StyleStore
from nst_core.errors import UnknownStyle
from nst_core.gallery import Gallery, Style


class ServiceGallery(Gallery):
    """A folder's styles come first, and no user's style can take the id of one of them.

    What asks for a style raises besides :class:`~jobs.errors.StoreUnavailable` when Redis cannot be reached.
    """

    def __init__(self, folder: Path | None, added: StyleStore) -> None:
        super().__init__(folder)
        self.added = added

    @override
    def all(self) -> list[Style]:
        return [*super().all(), *(style for style in self.added.all() if style.id not in self.styles)]

    @override
    def __getitem__(self, style_id: str) -> Style:
        return super().__getitem__(style_id) if style_id in self.styles else self.added.get(style_id)

    @override
    def weights(self, style_id: str) -> bytes:
        return super().weights(style_id) if style_id in self.styles else self.added.weights(style_id)

    @override
    def thumbnail(self, style_id: str) -> bytes:
        return super().thumbnail(style_id) if style_id in self.styles else self.added.thumbnail(style_id)

    def removable(self, style_ids: Iterable[str], owner: str = "") -> set[str]:
        """Those of these styles that are a user's; of this one, if it is named."""
        added = [style_id for style_id in style_ids if style_id not in self.styles]
        owners = self.added.owners(added) if owner else {}
        return {style_id for style_id in added if not owner or owners.get(style_id) == owner}

    def delete(self, style_id: str, owner: str = "") -> None:
        """Forget a style that a user added, also one whose id the folder has taken since.

        Args:
            owner: who asks for it; empty: somebody who may delete everybody's.

        Raises:
            UnknownStyle: there is none of this id.
            StyleNotRemovable: it is of the folder, or another owner's.
        """
        try:
            self.added.delete(style_id, owner)
        except UnknownStyle:
            if style_id in self.styles:
                raise StyleNotRemovable(f"The style {style_id!r} belongs to the gallery of this server.") from None
            raise
