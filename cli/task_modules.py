"""The modules of PARTYWALL_TASK_MODULES: whatever is wrong with them is said in one way."""

from cli.errors import BadInputError
from db.diagnosis import Finding, Verdict


def load_task_modules() -> None:
    """Import the modules, so that their tasks are declared.

    Raises:
        BadInputError: one cannot be imported, or declares a task in a way that it cannot.
    """
    # Brings Celery along, half a second that no other command should wait for.
    from tasks import registry
    from tasks.errors import TaskDeclarationError, TaskModuleError

    try:
        registry.load()
    except (TaskModuleError, TaskDeclarationError) as error:
        raise BadInputError(error.message, hint=error.hint, **error.facts) from error


def diagnose_task_modules() -> list[Finding]:
    """Return whether the modules can be imported, and how many tasks they declare."""
    from tasks import registry

    try:
        load_task_modules()
    except BadInputError as error:
        which = ", ".join(f"{name} {value}" for name, value in error.facts.items())
        return [Finding(Verdict.FAIL, f"{error.message} ({which})", error.hint)]
    return [Finding(Verdict.OK, f"{len(registry.declared())} tasks are declared")]
