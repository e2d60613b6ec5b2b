"""What the pages say is so."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.settings import ApiSettings
from cli.main import app
from db.settings import DatabaseSettings, PartywallSettings
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
            r"partywall ([a-z]+(?: (?:create|list|suspend|resume|pause|drain|limit|tier|set|revoke|show|wait|cancel"
            r"|retry))?)",
            block.code,
        )
    }
    runner = CliRunner()

    for words in sorted(spoken):
        assert runner.invoke(app, [*words.split(), "--help"]).exit_code == 0, f"partywall {words}"


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
