"""The current Celery application is the workers', in whatever order modules are imported and tests run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery import current_app

from tasks.application import TenantCelery

ROOT = Path(__file__).parents[2]
IMPORT_ALL = """
import importlib, sys
from celery import current_app
for name in sys.argv[1:]:
    importlib.import_module(name)
    if current_app.main not in ("default", "partywall"):
        sys.exit(f"{name} made {current_app.main!r} the current application; pass set_as_current=False")
"""


PACKAGES = ("api", "bench", "cli", "tasks", "tests")
"""All but `workers`, whose application it is, and `db`, which knows no Celery."""


def modules() -> list[str]:
    """Return every module of these packages but those that run when they are imported."""
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return [name for name in names if not name.endswith(("__main__", "sitecustomize"))]


def test_no_module_takes_over_the_current_application() -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PARTYWALL_")}

    imported = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *modules()], cwd=ROOT, env=outside, capture_output=True, text=True
    )

    assert (imported.returncode, imported.stderr) == (0, "")


def test_one_that_does_is_found(tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text("from celery import Celery\napp = Celery('greedy')\n")

    imported = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, "greedy"], cwd=tmp_path, capture_output=True, text=True
    )

    assert imported.returncode == 1
    assert "set_as_current=False" in imported.stderr


@pytest.fixture(scope="module")
def seen() -> list[str]:
    return []


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_makes_current_is_gone_after_it(seen: list[str], turn: int) -> None:
    seen.append(current_app.main)
    TenantCelery(f"of turn {turn}")

    assert len(set(seen)) == 1
