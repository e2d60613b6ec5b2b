"""The page that tells what can go wrong, as the tests read it: what it shows is compared with what there is."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.docs.pages import ROOT

PAGE = ROOT / "docs/explanation/what-can-go-wrong.md"

_SECTION = re.compile(r"^### (?P<title>.+)\n(?P<text>(?:(?!^##).*\n)*)", re.MULTILINE)
_LOG = re.compile(r"^```log\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"(?P<process>\w+)(?: on (?P<broker>Redis|RabbitMQ))?: (?P<facts>\{.*\})")
_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<name>test_\w+)`")
ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log as the page shows it: some of its facts. `…` stands for any text, or for any part of one."""

    process: str
    broker: str | None
    facts: Mapping[str, Any]

    def is_in(self, log: str) -> bool:
        """Return whether one line of the log has all these facts."""
        return any(self._is(line) for line in log.splitlines() if line.startswith("{"))

    def _is(self, line: str) -> bool:
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            return False  # half of it is written yet
        return all(_matches(shown, said.get(name)) for name, shown in self.facts.items())


@dataclass(frozen=True, slots=True)
class Section:
    """One fault: what its section shows of the logs, and the tests that it names as (file, function)."""

    title: str
    lines: tuple[Line, ...]
    tests: tuple[tuple[str, str], ...]


def sections() -> dict[str, Section]:
    """Return the faults by their titles, in the page's order."""
    return {each.title: each for each in _read()}


def _read() -> Iterator[Section]:
    for found in _SECTION.finditer(PAGE.read_text(encoding="utf-8")):
        shown = [line for block in _LOG.finditer(found["text"]) for line in block["lines"].splitlines()]
        tests = tuple((match["file"], match["name"]) for match in _TEST.finditer(found["text"]))
        yield Section(found["title"], tuple(_line(each) for each in shown), tests)


def _line(shown: str) -> Line:
    match = _LINE.fullmatch(shown)
    assert match is not None, f"no line of a log: {shown}"
    return Line(match["process"], match["broker"], json.loads(match["facts"]))


def _matches(shown: Any, said: Any) -> bool:
    if shown == ANYTHING:
        return said is not None
    if not isinstance(shown, str) or not isinstance(said, str):
        return bool(shown == said)
    return re.fullmatch(".*".join(re.escape(part) for part in shown.split(ANYTHING)), said, re.DOTALL) is not None
