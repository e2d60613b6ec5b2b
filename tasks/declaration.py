"""What is declared about a task: its name, its limits, and the shapes of what goes in and comes out."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, get_type_hints

from pydantic import TypeAdapter, ValidationError

from tasks.errors import FieldError, PayloadInvalidError, TaskDeclarationError
from tasks.examples import read_examples, shown
from tasks.retrying import RetryPolicy

HARD_LIMIT_GRACE_SECONDS = 10.0
"""After the soft limit a body has this long to clean up before its process is killed."""
LIFETIME_GRACE_SECONDS = 30.0
"""An attempt outlives its hard limit by this much, to be told of. No heartbeat extends its lease beyond that."""

Body = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class TaskDeclaration:
    """One task. Built by `@task` from the function's annotations; read by producers, workers and the API."""

    name: str
    description: str
    queue: str
    retry: RetryPolicy
    time_limit_seconds: float
    tenantless: bool
    runs_for_deleted: bool
    is_async: bool
    payload: TypeAdapter[Any]
    result: TypeAdapter[Any]
    examples: Sequence[Any]
    """Payloads as JSON, or functions that make one: see `tasks/examples.py`."""

    @classmethod
    def of(
        cls,
        body: Body,
        *,
        name: str,
        queue: str,
        retry: RetryPolicy,
        time_limit_seconds: float,
        tenantless: bool,
        runs_for_deleted: bool = False,
        bound: bool = False,
        examples: Sequence[Any] = (),
    ) -> Self:
        """Return the declaration of a function.

        Raises:
            TaskDeclarationError: a tenant task is not `(job: Job, payload: Model) -> Result`, fully annotated; or an
                example does not fit.
        """
        payload, result = (Any, Any) if tenantless else _shapes(body, name, bound=bound)
        takes = TypeAdapter(payload)
        return cls(
            name=name,
            description=(inspect.getdoc(body) or "").partition("\n")[0],
            queue=queue,
            retry=retry,
            time_limit_seconds=time_limit_seconds,
            tenantless=tenantless,
            runs_for_deleted=runs_for_deleted,
            is_async=inspect.iscoroutinefunction(body),
            payload=takes,
            result=TypeAdapter(result),
            examples=read_examples(name, takes, examples),
        )

    @property
    def max_attempts(self) -> int:
        """How often a job of this task is tried."""
        return self.retry.max_attempts

    @property
    def lifetime_seconds(self) -> float:
        """How long an attempt may take at most, however often its lease is extended."""
        return self.time_limit_seconds + HARD_LIMIT_GRACE_SECONDS + LIFETIME_GRACE_SECONDS

    def payload_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the payload, with the examples."""
        schema = self.payload.json_schema(mode="validation")
        examples = shown(self.examples)
        return schema | {"examples": examples} if examples else schema

    def validate_payload(self, raw: Any) -> Any:
        """Return the payload as JSON, with defaults filled in.

        Raises:
            PayloadInvalidError: one entry in `errors` for each thing that is wrong.
        """
        return self.payload.dump_python(self.read_payload(raw), mode="json")

    def read_payload(self, raw: Any) -> Any:
        """Return the payload as the body takes it: an instance of the annotated model."""
        try:
            return self.payload.validate_python(raw)
        except ValidationError as error:
            raise PayloadInvalidError(
                task=self.name,
                errors=[
                    FieldError(pointer=_pointer(each["loc"]), code=each["type"], detail=each["msg"])
                    for each in error.errors(include_url=False, include_input=False)
                ],
                hint="GET /v1/tasks shows the JSON Schema of every payload.",
            ) from None


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in location)


def _shapes(body: Body, name: str, *, bound: bool) -> tuple[Any, Any]:
    # Celery's `bind=True` puts the task itself in front.
    parameters = list(inspect.signature(body).parameters)[1 if bound else 0 :]
    hints = get_type_hints(body)
    hint = "Write it as: def body(job: Job, payload: Model) -> Result."
    if len(parameters) != 2:
        raise TaskDeclarationError(task=name, parameters=len(parameters), hint=hint)
    missing = [each for each in (*parameters, "return") if each not in hints]
    if missing:
        raise TaskDeclarationError(task=name, without_annotation=missing, hint=hint)
    return hints[parameters[1]], hints["return"]
