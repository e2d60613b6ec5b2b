"""Text that PostgreSQL can hold."""

import re
from typing import Any

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(value: Any) -> Any:
    """Return JSON data in which U+FFFD stands for what no column can hold: U+0000 and halves of surrogate pairs.

    For what we say about a job. What a tenant wrote is refused instead, never altered.
    """
    match value:
        case str():
            return _UNSTORABLE.sub("\ufffd", value)
        case dict():
            return {storable(key): storable(each) for key, each in value.items()}
        case list():
            return [storable(each) for each in value]
        case _:
            return value
