"""The options that name limits, of a tenant's own and of a tier."""

from collections.abc import Iterable
from typing import Annotated

import typer

from cli.errors import BadInputError

MOST = 2**31 - 1

Weight = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Share of the workers, relative to others: 0.001 to 1000.", show_default=False),
]
MaxRunning = Annotated[
    int | None, typer.Option(metavar="JOBS", min=1, max=MOST, help="So many jobs run at a time.", show_default=False)
]
Rate = Annotated[
    float | None, typer.Option(metavar="JOBS", help="So many jobs are started a second.", show_default=False)
]
Burst = Annotated[
    int | None,
    typer.Option(metavar="JOBS", min=1, max=MOST, help="So many at once after a rest; a second's.", show_default=False),
]
MaxQueued = Annotated[
    int | None, typer.Option(metavar="JOBS", min=1, max=MOST, help="So many jobs wait.", show_default=False)
]

NAMES = ("weight", "max_running", "rate", "burst", "max_queued")


def changes_of(given: Iterable[float | None], unset: Iterable[str]) -> dict[str, float | None]:
    """Return what changes: the limits that were `given`, in the order of NAMES, and None for those to unset.

    Raises:
        BadInputError: a limit is to be both, or there is none of that name.
    """
    changes = {name: value for name, value in zip(NAMES, given, strict=True) if value is not None}
    for spelled in unset:
        name = spelled.replace("-", "_")
        if name not in NAMES:
            raise BadInputError(
                f"--unset {spelled} names no limit",
                hint=f"There are {', '.join(each.replace('_', '-') for each in NAMES)}.",
            )
        if name in changes:
            raise BadInputError(f"--{spelled} is to be set and to be unset", hint="Leave one of them out.")
    return changes | dict.fromkeys(name.replace("-", "_") for name in unset)


def shown(limit: float | None) -> str:
    """Return a limit as a person reads it."""
    return "none" if limit is None else f"{limit:.12g}"
