"""An adopter's project made of the pages: the task of one, the tests of another, the example of a third."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, blocks

HOW_TO = ROOT / "docs/how-to"
ADD_A_TASK = HOW_TO / "add-a-task.md"
TEST_YOUR_TASKS = HOW_TO / "test-your-tasks.md"
PROVE_ISOLATION = HOW_TO / "prove-isolation-in-ci.md"

DELETING = """
from shop.deleting import delete_note


def test_deleting_is_isolated(assert_isolated):
    assert assert_isolated(delete_note).rows_written == {"A": 2, "B": 2}
"""


def test_a_project_made_of_the_pages_passes_its_tests(tmp_path: Path) -> None:
    conftest, tests = blocks(TEST_YOUR_TASKS, "python")
    (settings,) = blocks(TEST_YOUR_TASKS, "toml")
    project = {
        "pyproject.toml": settings.code.replace('["shop.notes"]', '["shop.notes", "shop.deleting"]'),
        "sql/0100_notes.sql": blocks(ADD_A_TASK, "sql")[0].code,
        "shop/__init__.py": "",
        "shop/notes.py": blocks(ADD_A_TASK, "python")[0].code,
        "shop/deleting.py": blocks(PROVE_ISOLATION, "python")[0].code,
        "tests/conftest.py": conftest.code,
        "tests/test_notes.py": tests.code,
        "tests/test_deleting.py": DELETING,
    }
    for name, text in project.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PARTYWALL_", "PYTEST_"))},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "3 passed" in done.stdout
