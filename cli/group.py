"""The edge of the command line: every command runs inside this, and every exception ends here."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from cli.exit_codes import ExitCode
from cli.output import complain
from cli.problem import problem_of


class Group(TyperGroup):
    """A group of commands that answers in one line and an exit code, never with a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit with its code.

        Only in stand-alone mode would Typer print errors itself, in boxes; so it is never asked to.
        """
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
            sys.stdout.flush()
        except TyperException as error:
            sys.exit(_misused(error))
        except (Abort, KeyboardInterrupt):
            sys.exit(ExitCode.INTERRUPTED)
        except BrokenPipeError:
            # Whoever read has seen enough. Without this the interpreter would try to flush once more, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(ExitCode.FAILED)
        except Exception as error:  # noqa: BLE001 - the edge: told in one line, in full where asked for
            if os.environ.get("PARTYWALL_DEBUG", "0") not in ("", "0"):
                traceback.print_exception(error)
            problem = problem_of(error)
            complain(problem.line)
            sys.exit(problem.exit_code)
        sys.exit(code or ExitCode.OK)


def _misused(error: TyperException) -> ExitCode:
    said = " ".join(error.format_message().replace("Value error, ", "").split())
    context = getattr(error, "ctx", None)
    # Nothing was said where no command was named: the help has been printed instead.
    if said:
        end = "" if said.endswith((".", "?", ")")) else "."
        hint = f" See: {context.command_path} --help" if context else ""
        complain(f"{said[:1].lower()}{said[1:]}{end}{hint}")
    return ExitCode(error.exit_code)
