"""How a command fails: one line on stderr, a code for the script, nothing on stdout."""

import os
import pty
import subprocess
import sys

import pytest

from cli.main import app
from cli.problem import problem_of
from cli.stack.ports import any_free_port
from db.roles import Role
from tests.cli.conftest import ROOT, Run, Start
from tests.databases import Database, make_tenant


def test_a_database_that_does_not_answer_is_unreachable(partywall_process: Start) -> None:
    port = any_free_port()
    done = partywall_process("tenants", "list", PARTYWALL_OPERATOR_DATABASE_URL=f"postgresql://x@127.0.0.1:{port}/x")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        f"error: nothing listens at 127.0.0.1:{port}. To see what is wrong with each setting, run: partywall check\n"
    )


def test_the_traceback_is_there_for_who_asks(database: Database, partywall_process: Start) -> None:
    done = partywall_process("tenants", "suspend", "nobody", PARTYWALL_DEBUG="1")

    assert done.returncode == 3
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: the tenant is unknown (slug=nobody). ")


def test_a_missing_setting_is_named(partywall: Run) -> None:
    result = partywall("tenants", "list")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: a setting is missing (setting=PARTYWALL_OPERATOR_DATABASE_URL). "
        "Set it, or start the embedded stack with: partywall up.\n"
    )


def test_a_malformed_setting_is_named_without_its_value(partywall: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTYWALL_POOL_SIZE", "hush")
    result = partywall("tenants", "list")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: PARTYWALL_POOL_SIZE: Input should be a valid integer")
    assert "hush" not in result.stderr


def test_a_malformed_dsn_is_named_without_its_value(partywall: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTYWALL_OPERATOR_DATABASE_URL", "postgresql://x:hush%@host/x")
    result = partywall("tenants", "list")

    assert result.exit_code == 2
    assert "setting=PARTYWALL_OPERATOR_DATABASE_URL" in result.stderr
    assert "hush" not in result.stderr


def test_a_role_without_the_right_is_refused(
    database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTYWALL_OPERATOR_DATABASE_URL", database.url(Role.WORKER))
    result = partywall("tenants", "create", "acme")

    assert result.exit_code == 3
    assert result.stderr.startswith("error: this login may not do that: permission denied for function create_tenant. ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tenats"], "no such command 'tenats'. Did you mean 'tenants', 'status'? See: partywall --help"),
        (["tenants", "create"], "missing argument 'SLUG'. See: partywall tenants create --help"),
        (["jobs", "list", "--limit", "0"], "invalid value for '--limit': "),
        (["jobs", "show", "7"], "invalid value for 'ID': Input should be a valid UUID"),
        (["version", "--jsn"], "no such option: --jsn (Possible options: --json) See: partywall version --help"),
    ],
)
def test_a_misused_command_says_where_its_help_is(partywall: Run, arguments: list[str], said: str) -> None:
    result = partywall(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {said}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("group", [[], ["tenants"], ["keys"], ["jobs"]])
def test_a_group_without_a_command_prints_its_help(partywall: Run, group: list[str]) -> None:
    result = partywall(*group)

    assert result.exit_code == 2
    assert "Usage: " in result.stdout
    assert result.stderr == ""


def test_every_command_has_an_example_and_json(partywall: Run) -> None:
    groups = {group.name or "": group.typer_instance for group in app.registered_groups} | {"": app}
    for name, group in groups.items():
        assert group is not None
        for command in group.registered_commands:
            assert command.callback is not None
            called = command.name or command.callback.__name__
            shown = partywall(*filter(None, (name, called)), "--help").stdout

            assert called == "demo" or "--json" in shown, called
            assert called in ("up", "down", "status") or "Example: " in shown.replace("KEY=$", ""), called


def test_a_bug_is_one_line_too() -> None:
    problem = problem_of(KeyError("nothing"))

    assert problem.line == "KeyError: 'nothing'. This is a bug in Partywall. PARTYWALL_DEBUG=1 shows where."
    assert problem.exit_code == 1


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed_pipe:
        done = subprocess.run(
            [sys.executable, "-c", "from cli.main import app; app()", "version"],
            cwd=ROOT, stdout=closed_pipe, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert (done.returncode, done.stderr) == (1, "")


def test_a_terminal_gets_a_table_and_a_pipe_plain_columns(database: Database, partywall: Run) -> None:
    make_tenant("acme", "Acme [red]Ltd")
    main, side = pty.openpty()
    with os.fdopen(main, "rb") as terminal:
        subprocess.run(
            [sys.executable, "-c", "from cli.main import app; app()", "tenants", "list"],
            cwd=ROOT, env=os.environ | {"TERM": "xterm", "COLUMNS": "100"}, stdout=side, timeout=60, check=True,
        )  # fmt: skip
        os.close(side)
        seen = os.read(terminal.fileno(), 65536).decode()

    assert "──────" in seen
    assert "Acme [red]Ltd" in seen
    header, row = partywall("tenants", "list").stdout.splitlines()
    assert header.split() == ["SLUG", "NAME", "STATUS", "TIER", "CREATED", "ID"]
    assert row.startswith("acme  Acme [red]Ltd  active  standard  20")
