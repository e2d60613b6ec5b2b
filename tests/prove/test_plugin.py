"""The pytest plugin, as an adopter uses it: a project of its own, run by a pytest of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.prove.adopter import PROJECT, TESTS

MARK = "PROVE_TEST_RUN"
"""Every process of the adopter's tests has it in its environment, with this process's id."""


@pytest.fixture(scope="module")
def adopter(tmp_path_factory: pytest.TempPathFactory) -> "subprocess.CompletedProcess[str]":
    """The outcome of the adopter's tests: one stack for all of them."""
    folder = tmp_path_factory.mktemp("adopter")
    for name, text in {**PROJECT, **TESTS}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PARTYWALL_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "tests"],
        cwd=folder,
        env={**clean, MARK: str(os.getpid())},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def verdict_on(adopter: "subprocess.CompletedProcess[str]", test: str) -> str:
    """Return what the summary says of a test: PASSED or FAILED."""
    found = re.findall(rf"^(PASSED|FAILED|ERROR) tests/test_notes.py::{test}\b", adopter.stdout, re.MULTILINE)
    assert len(found) == 1, adopter.stdout[-5000:] + adopter.stderr[-5000:]
    return str(found[0])


@pytest.mark.parametrize(
    "test",
    [
        "test_a_job_writes_for_its_tenant_alone",
        "test_a_job_that_fails_says_why",
        "test_the_tenants_of_each_test_are_new",
        "test_a_good_task_is_isolated",
        "test_a_good_task_is_isolated_with_a_payload",
    ],
)
def test_an_adopters_test_passes(adopter: "subprocess.CompletedProcess[str]", test: str) -> None:
    assert verdict_on(adopter, test) == "PASSED"


@pytest.mark.parametrize(
    ("test", "culprit"),
    [
        ("test_a_leak_fails", "the result of its job holds a value of app.notes of the other tenant (2 of 4 runs)"),
        ("test_a_failure_is_no_proof", "ValueError: never on a Monday"),
    ],
)
def test_an_adopters_test_fails_and_names_the_culprit(
    adopter: "subprocess.CompletedProcess[str]", test: str, culprit: str
) -> None:
    assert verdict_on(adopter, test) == "FAILED"
    assert culprit in adopter.stdout


def test_nothing_keeps_running_after_the_adopters_tests(adopter: "subprocess.CompletedProcess[str]") -> None:
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(os.getpid()):
                left.append(process.cmdline())
        except psutil.Error:
            continue  # gone while we looked, or another user's

    assert adopter.returncode == 1
    assert left == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('partywall_app_sql_folder = "sqll"', "PARTYWALL_APP_SQL_FOLDER names a folder that is not there"),
        ('partywall_task_modules = ["shop.taks"]', "No module named 'shop.taks'"),
    ],
)
def test_a_wrong_setting_is_told_as_what_it_is(tmp_path: Path, setting: str, said: str) -> None:
    project = {
        "pyproject.toml": f'[tool.pytest.ini_options]\npythonpath = ["."]\n{setting}\n',
        "conftest.py": 'pytest_plugins = ["tasks.testing"]\n',
        "shop/__init__.py": "",
        "test_nothing.py": "def test_nothing(tenant_a): ...\n",
    }
    (tmp_path / "shop").mkdir()
    for name, text in project.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PARTYWALL_", "PYTEST_"))},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 1
    assert re.search(rf"^E .*{re.escape(said)}", done.stdout, re.MULTILINE), done.stdout[-3000:]
