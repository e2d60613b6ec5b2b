"""Where hypothesis keeps what it has worked out, while we make payloads: nowhere that lasts."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis.configuration import set_hypothesis_home_dir, storage_directory


@contextmanager
def temporary_home() -> Iterator[None]:
    """Let hypothesis write into a directory that is gone after the block.

    Also without a database of examples it keeps tables of characters and the constants of the modules it runs beside,
    in `.hypothesis` of the current directory: an adopter's project, which may have no other use for it.
    """
    # It may have been set by the adopter's own tests.
    before: Path = storage_directory(intent_to_write=False).home_directory
    with tempfile.TemporaryDirectory(prefix="partywall-hypothesis-") as directory:
        set_hypothesis_home_dir(directory)
        try:
            yield
        finally:
            set_hypothesis_home_dir(before)
