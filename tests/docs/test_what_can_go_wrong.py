"""The page and the tests of the faults name the same faults."""

import ast

import pytest

from tests.docs.pages import ROOT
from tests.faults.page import PAGE, Section, sections


def functions(file: str) -> set[str]:
    """Return the names of a file's tests."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def looked_for(file: str) -> set[str]:
    """Return the titles whose lines the tests of a file look for in the logs: `see("title")`."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "see"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


FILES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/faults/test_*.py"))


@pytest.mark.parametrize("section", sections().values(), ids=lambda section: section.title)
def test_every_fault_on_the_page_is_tested(section: Section) -> None:
    assert section.tests, "it names no test"
    assert [(file, name) for file, name in section.tests if name not in functions(file)] == []


@pytest.mark.parametrize("file", FILES)
def test_every_test_of_a_fault_is_on_the_page(file: str) -> None:
    named = {name for section in sections().values() for where, name in section.tests if where == file}

    assert functions(file) == named


def test_every_line_on_the_page_is_looked_for_in_a_log() -> None:
    shown = {section.title for section in sections().values() if section.lines}

    assert shown == set().union(*(looked_for(file) for file in FILES))


def test_every_heading_is_a_fault_that_is_read() -> None:
    headings = [line[4:] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("### ")]

    assert headings == list(sections())
