"""Where the demo plays: a stack of its own in a fresh directory, gone afterwards unless it is to be kept."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.interruption import uninterrupted
from cli.stack.deadline import wait_until
from cli.stack.home import Home
from cli.stack.ports import PREFERRED, any_free_port
from cli.stack.private_file import write_private_json
from cli.stack.stack import Stack
from db.engine import dispose_engines

_KEPT_SETTINGS = ("PARTYWALL_BROKER_KIND", "PARTYWALL_POSTGRES_VERSION", "PARTYWALL_DEBUG")

REMOVE_SECONDS = 10.0


class Stage:
    """A home in a new directory, and the stack that runs from it."""

    def __init__(self, on_step: Callable[[str], None]) -> None:
        self.home = Home(Path(tempfile.mkdtemp(prefix="partywall-demo-")))
        self.stays = False
        """Set once all was played: then the stack is left running."""
        self.addresses: dict[str, str] = {}
        self._on_step = on_step
        self._stack = Stack(self.home)

    def open(self) -> None:
        """Start the stack and make its settings this process's own.

        Raises:
            StackStartError: a process did not come up.
        """
        # Whatever servers the developer works with, the demo must not find them: it would fill them with orders.
        for name in [name for name in os.environ if name.startswith("PARTYWALL_") and name not in _KEPT_SETTINGS]:
            del os.environ[name]
        os.environ["PARTYWALL_HOME"] = str(self.home.root)
        # Not the usual ports: they are for the stack somebody works with, which may be starting at this moment.
        write_private_json(self.home.ports, {name: any_free_port() for name in PREFERRED})
        self.addresses = self._stack.up(self._on_step)

    def close(self, *, keep: bool) -> None:
        """Stop what runs, unless it stays, and remove the directory, unless it is to be kept."""
        dispose_engines()
        if not self.stays:
            self._stack.down(self._on_step)
        if not keep and not wait_until(self._remove, timeout_seconds=REMOVE_SECONDS):
            shutil.rmtree(self.home.root)  # says what is in the way

    def _remove(self) -> bool:
        # An initdb that is interrupted leaves a child, which writes on for a moment.
        shutil.rmtree(self.home.root, ignore_errors=True)
        return not self.home.root.exists()


@contextmanager
def staged(on_step: Callable[[str], None], *, keep: bool) -> Iterator[Stage]:
    """Make a stage for the block. Whatever ends it, nothing keeps running that was not meant to stay."""
    stage = Stage(on_step)
    try:
        yield stage
        stage.stays = keep
    finally:
        with uninterrupted():
            stage.close(keep=keep)
