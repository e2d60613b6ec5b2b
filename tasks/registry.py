"""Which tasks there are."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from db.errors import PartywallError
from tasks.declaration import TaskDeclaration
from tasks.errors import TaskDeclarationError, TaskModuleError, UnknownTaskError
from tasks.settings import TaskSettings

PLATFORM_QUEUE = "platform"
"""Where tenantless tasks run."""

_declared: dict[str, TaskDeclaration] = {}


def load() -> None:
    """Import the modules named by `PARTYWALL_TASK_MODULES`, so that their tasks are declared.

    Raises:
        TaskModuleError: one cannot be imported.
        TaskDeclarationError: one declares a task in a way that it cannot.
    """
    for module in TaskSettings.load().module_names:
        try:
            import_module(module)
        except PartywallError:
            raise
        except Exception as error:
            # An edge: the module is the adopter's, and whatever it raises says what is wrong with it.
            raise TaskModuleError(
                module=module,
                error=f"{type(error).__name__}: {error}",
                hint="Correct the setting or the module, or install what it needs.",
            ) from error


def declare(declaration: TaskDeclaration, *, module: str) -> None:
    """Enter a task. A module that is imported again may declare its own tasks again.

    Raises:
        TaskDeclarationError: another module has a task of this name, or nobody serves its queue.
    """
    queues = [*TaskSettings.load().queue_names, PLATFORM_QUEUE]
    if declaration.queue not in queues:
        raise TaskDeclarationError(
            "the task's queue is not declared",
            task=declaration.name,
            queue=declaration.queue,
            hint=f"PARTYWALL_QUEUES names the queues of jobs: {', '.join(queues)}.",
        )
    owner = _modules.setdefault(declaration.name, module)
    if owner != module:
        raise TaskDeclarationError(
            "two tasks have the same name",
            task=declaration.name,
            modules=[owner, module],
            hint="Rename one of them.",
        )
    _declared[declaration.name] = declaration


_modules: dict[str, str] = {}


def declared() -> Mapping[str, TaskDeclaration]:
    """Return every task that was declared, by name."""
    return MappingProxyType(_declared)


def declaration(name: str) -> TaskDeclaration:
    """Return one task.

    Raises:
        UnknownTaskError: it was not declared.
    """
    try:
        return _declared[name]
    except KeyError:
        raise UnknownTaskError(task=name, hint="GET /v1/tasks lists the tasks there are.") from None
