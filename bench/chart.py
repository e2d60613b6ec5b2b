"""Bar charts as SVG: a few rectangles and words, so nothing is needed to draw them and any browser shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH = 760
_LABELS = 170
_NUMBERS = 90
_ROW = 26
_HEAD = 44
_OURS = "#2f6f4f"
_OTHERS = "#9aa5a0"
_STYLE = "text{font:13px sans-serif;fill:#222}.title{font-weight:600;font-size:15px}.unit{fill:#666}"


@dataclass(frozen=True, slots=True)
class Bars:
    """One group of bars. The first is ours and has the colour."""

    unit: str
    values: Sequence[tuple[str, float]]

    @property
    def height(self) -> int:
        """How much room it takes."""
        return _HEAD + _ROW * len(self.values)


def draw(path: Path, title: str, groups: Sequence[Bars]) -> None:
    """Write a chart of groups, one below the other, each with a scale of its own from zero."""
    parts, top = [f'<text class="title" x="12" y="26">{escape(title)}</text>'], 36
    for group in groups:
        parts += _group(group, top)
        top += group.height
    height = top + 12
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n",
        encoding="utf-8",
    )


def _group(group: Bars, top: int) -> list[str]:
    longest = max((value for _, value in group.values), default=0) or 1
    parts = [f'<text class="unit" x="12" y="{top + 28}">{escape(group.unit)}</text>']
    for place, (name, value) in enumerate(group.values):
        y = top + _HEAD + place * _ROW
        colour = _OTHERS if place else _OURS
        width = max(1.0, value / longest * (WIDTH - _LABELS - _NUMBERS))
        parts += [
            f'<text x="{_LABELS - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LABELS}" y="{y}" width="{width:.1f}" height="{_ROW - 7}" fill="{colour}"/>',
            f'<text x="{_LABELS + width + 6:.1f}" y="{y + 14}">{_shown(value)}</text>',
        ]
    return parts


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
