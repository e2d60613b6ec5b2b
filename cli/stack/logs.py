"""A process's log, read from where this run began."""

from pathlib import Path


class LogFile:
    """What is written to `path` from now on; what former runs left there is skipped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = path.stat().st_size if path.exists() else 0

    def text(self) -> str:
        """Return what was written since, empty if nothing."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            # Shorter than it was: rotated away in the meantime, so all of it is new.
            if file.seek(0, 2) >= self._start:
                file.seek(self._start)
            else:
                file.seek(0)
            return file.read().decode("utf-8", "replace")

    def tail(self, lines: int = 20) -> list[str]:
        """Return the last `lines` lines written since."""
        return self.text().splitlines()[-lines:]
