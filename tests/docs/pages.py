"""The project's pages and the code in them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    language: str
    code: str


def blocks(page: Path, language: str) -> list[Block]:
    """Return the page's blocks in a language, top to bottom."""
    found = _FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(page, match["language"], match["code"]) for match in found if match["language"] == language]


def name(page: Path) -> str:
    """Return the page's path as tests show it."""
    return str(page.relative_to(ROOT))
