"""What the pages say is so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from api.settings import ApiSettings
from cli.group import Group
from cli.main import app
from db.settings import DatabaseSettings, PartywallSettings
from db.waiting import Reason
from tasks.settings import TaskSettings
from tests.docs.pages import PAGES, ROOT, blocks, name
from workers.settings import DispatcherSettings

LINK = re.compile(r"\]\((?!#)(?P<target>[^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [match["target"] for match in LINK.finditer(page.read_text(encoding="utf-8"))]

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = re.findall(r"(?:`|^|\$ )make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert set(named) <= targets


def test_every_command_in_a_shell_block_is_one() -> None:
    # The words up to the first argument: `partywall tenants create acme` asks for help on `tenants create`.
    spoken = {
        match
        for page in PAGES
        for language in ("sh", "console")
        for block in blocks(page, language)
        for match in re.findall(
            r"partywall ([a-z]+(?: (?:create|list|suspend|resume|pause|drain|limit|tier|top|set|revoke|show|why|wait"
            r"|cancel|retry))?)",
            block.code,
        )
    }
    runner = CliRunner()

    for words in sorted(spoken):
        assert runner.invoke(app, [*words.split(), "--help"]).exit_code == 0, f"partywall {words}"


def commands(group: Group, *words: str) -> Iterator[str]:
    """Yield each command below a group as one types it, without `partywall`."""
    for word, command in group.commands.items():
        if isinstance(command, Group):
            yield from commands(command, *words, word)
        else:
            yield " ".join([*words, word])


def test_every_command_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    root = get_command(app)
    assert isinstance(root, Group)
    found = list(commands(root))

    assert "tenants top" in found
    assert [each for each in found if not re.search(rf"^\|.*`{each}\b", page, re.MULTILINE)] == []


@pytest.mark.parametrize("reference", ["http-api.md", "cli.md"])
def test_everything_that_a_job_may_wait_for_is_explained(reference: str) -> None:
    page = (ROOT / "docs/reference" / reference).read_text(encoding="utf-8")

    assert [each for each in Reason if not re.search(rf"^\| (?:`\w+`, )*`{each}`.*\|", page, re.MULTILINE)] == []


@pytest.mark.parametrize("settings", [DatabaseSettings, TaskSettings, ApiSettings, DispatcherSettings])
def test_every_setting_is_described(settings: type[PartywallSettings]) -> None:
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")

    assert [field for field in settings.model_fields if f"`PARTYWALL_{field.upper()}`" not in page] == []


def test_every_default_is_the_one_that_the_page_names() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `PARTYWALL_(\w+)` \| (\d+) \|", page, re.MULTILINE))
    defaults = {
        name.upper(): field.default
        for settings in (DatabaseSettings, TaskSettings, ApiSettings, DispatcherSettings)
        for name, field in settings.model_fields.items()
    }

    assert {name: float(default) for name, default in named.items() if name in defaults} == {
        name: defaults[name] for name in named if name in defaults
    }
