"""What is known about the stack that runs, or ran last, from a home."""

from dataclasses import asdict, dataclass
from pathlib import Path

from cli.stack.private_file import read_json, write_private_json
from cli.stack.processes import ProcessIdentity


@dataclass(frozen=True)
class StackRecord:
    """Stands in `run/stack.json` while the supervisor runs. A crash leaves it behind."""

    supervisor: ProcessIdentity
    socket: str
    """The supervisor's control socket."""
    addresses: dict[str, str]
    """Where each part of the stack is, by name, without passwords."""

    def save(self, run: Path) -> None:
        write_private_json(run / "stack.json", asdict(self))

    @classmethod
    def load(cls, run: Path) -> "StackRecord | None":
        """Return the record, None if there is none or it is not whole."""
        try:
            stored = read_json(run / "stack.json")
            return cls(ProcessIdentity(**stored["supervisor"]), str(stored["socket"]), dict(stored["addresses"]))
        except (KeyError, TypeError, ValueError):
            return None

    @classmethod
    def remove(cls, run: Path) -> None:
        (run / "stack.json").unlink(missing_ok=True)
