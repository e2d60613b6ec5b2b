"""Pages of a list: what a request may ask for, and where the next one goes on."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api import cursors

Row = TypeVar("Row")


class Page(BaseModel):
    """Where a list goes on."""

    cursor: str | None = Field(description="Send it as `cursor` to get what comes next; null at the end.")
    has_more: bool
    limit: int


class PageRequest(BaseModel):
    """Which page of a list. An unknown parameter is refused: a typo must not look like an answer."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100)
    cursor: str | None = Field(None, description="`page.cursor` of the page before, with the same filters.")

    def position(self, *, scope: str) -> int | None:
        """Return the position after which the page begins, None for the first.

        Raises:
            CursorInvalidError: it comes from another list.
        """
        return None if self.cursor is None else cursors.decode(self.cursor, scope=scope)

    def cut(self, found: list[Row], *, position: Callable[[Row], int], scope: str) -> tuple[list[Row], Page]:
        """Return the rows of the page and where the next begins; `found` has one row more, where there is one."""
        data, has_more = found[: self.limit], len(found) > self.limit
        cursor = cursors.encode(position(data[-1]), scope=scope) if has_more else None
        return data, Page(cursor=cursor, has_more=has_more, limit=self.limit)
