"""What tasks are run with where nobody gives examples."""

import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import pytest
from pydantic import AnyUrl, AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from tasks import Job
from tasks.declaration import TaskDeclaration
from tasks.proof.marks import MarkBook
from tasks.proof.payloads import HypothesisMissingError, payloads_for, spellings, with_marks
from tasks.retrying import RetryPolicy


class Colour(StrEnum):
    """A choice."""

    RED = "red"
    GREEN = "green"


class Cat(BaseModel):
    """One of two."""

    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"]
    good: bool


class Tree(BaseModel):
    """What holds itself."""

    name: str
    branches: list["Tree"] = []


class Everything(BaseModel):
    """Every kind of field that a schema can spell."""

    model_config = ConfigDict(extra="forbid")

    text: str
    short: str = Field(max_length=5)
    patterned: str = Field(pattern=r"^[A-Z]{2}[0-9]+$")
    day: date
    moment: AwareDatetime
    naive: datetime
    span: timedelta
    id: UUID
    amount: Decimal = Field(gt=0)
    even: int = Field(multiple_of=2, ge=-3, lt=100)
    share: float = Field(gt=0, lt=1)
    address: AnyUrl
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    pair: tuple[int, str]
    named: dict[str, float]
    colour: Colour
    maybe: str | None = None
    tree: Tree
    some: list[int] = Field(min_length=1, max_length=2)
    distinct: set[str]
    anything: Any


class Picky(BaseModel):
    """What says more in code than in its schema."""

    number: int = Field(ge=0, le=3)

    @field_validator("number")
    @classmethod
    def _odd(cls, number: int) -> int:
        if number % 2 == 0:
            raise ValueError("even")
        return number


class Impossible(BaseModel):
    """What nobody can ask for, though its schema says otherwise."""

    number: int

    @field_validator("number")
    @classmethod
    def _never(cls, number: int) -> int:
        raise ValueError("never")


def declared(model: type[BaseModel], **options: Any) -> TaskDeclaration:
    def body(job: Job, payload: Any) -> None: ...

    body.__annotations__["payload"] = model
    return TaskDeclaration.of(
        body, name="t", queue="default", retry=RetryPolicy(), time_limit_seconds=1, tenantless=False, **options
    )


def test_payloads_fit_every_kind_of_field() -> None:
    declaration = declared(Everything)
    made = payloads_for(declaration, count=8, seed=0)

    assert len(made) == 8
    assert [declaration.validate_payload(each) for each in made] == made


def test_the_same_seed_makes_the_same_payloads_and_another_seed_others() -> None:
    first, again, other = (payloads_for(declared(Everything), count=4, seed=seed) for seed in (1, 1, 2))

    assert first == again != other


def test_what_a_validator_refuses_is_left_out() -> None:
    assert sorted(each["number"] for each in payloads_for(declared(Picky), count=5, seed=0)) == [1, 3]


def test_a_model_that_takes_nothing_gets_nothing() -> None:
    assert payloads_for(declared(Impossible), count=5, seed=0) == []


def test_a_payload_is_looked_for_in_what_is_sent_unless_it_names_rows_only() -> None:
    row_id = str(uuid4())

    assert spellings({"id": row_id}) == spellings({"ids": [row_id, row_id]}) == []
    assert '{"id": "%s", "note": "hello"}' % row_id in spellings({"id": row_id, "note": "hello"})  # noqa: UP031 - braces


def test_examples_are_taken_before_anything_is_made_up() -> None:
    assert payloads_for(declared(Picky, examples=[{"number": 3}]), count=5, seed=0) == [{"number": 3}]


def test_without_hypothesis_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)

    assert payloads_for(declared(Picky, examples=[{"number": 3}]), count=1, seed=0) == [{"number": 3}]
    with pytest.raises(HypothesisMissingError, match=r"Install the extra `prove`, or give the task examples"):
        payloads_for(declared(Picky), count=1, seed=0)


ELSEWHERE = """
from hypothesis.configuration import storage_directory
from tests.prove.test_payloads import Everything, declared
from tasks.proof.payloads import payloads_for

before = storage_directory("examples", intent_to_write=False).path
assert payloads_for(declared(Everything), count=3, seed=0)
assert storage_directory("examples", intent_to_write=False).path == before
"""


def test_nothing_is_left_where_it_runs_and_hypothesis_keeps_its_home(tmp_path: Path) -> None:
    """In a process of its own: what hypothesis has worked out once, it does not write again."""
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=tmp_path, env={"PYTHONPATH": str(root)}, check=True)

    assert list(tmp_path.iterdir()) == []


def test_each_tenant_gets_marks_of_its_own() -> None:
    book, (a, b) = MarkBook(), (uuid4(), uuid4())
    payload = payloads_for(declared(Everything), count=1, seed=0)[0]
    mine, theirs = with_marks(payload, book, a), with_marks(payload, book, b)

    for field, is_data in (("text", True), ("address", True), ("id", False)):
        (mark,) = {*book.find(mine[field].encode())}
        assert (mark.owner, mark.is_data) == (a, is_data)
        assert mine[field] != theirs[field]


@pytest.mark.parametrize(
    "spell",
    [
        lambda mark: f"a note: {mark}.".encode(),
        lambda mark: mark.upper().encode(),
        lambda mark: str(UUID(mark)).encode(),
        lambda mark: b"raw:" + bytes.fromhex(mark),
    ],
    ids=["text", "upper", "uuid", "bytes"],
)
def test_a_mark_is_found_however_it_is_spelled(spell: Callable[[str], bytes]) -> None:
    book = MarkBook()
    mark = book.make(uuid4(), "app.notes")

    assert {found.where for found in book.find(spell(mark))} == {"app.notes"}


@pytest.mark.parametrize("spell", [str.encode, bytes.fromhex], ids=["text", "bytes"])
def test_a_mark_as_long_as_a_digest_is_found(spell: Callable[[str], bytes]) -> None:
    book = MarkBook()
    mark = book.make(uuid4(), "app.files", digits=64)

    assert {found.where for found in book.find(spell(mark))} == {"app.files"}


def test_an_id_that_both_tenants_have_by_themselves_is_nobodys() -> None:
    book, shared = MarkBook(), str(uuid4())
    book.own(uuid4(), [shared], "app.plans")
    assert book.get(shared) is not None
    book.publish([shared])
    book.own(uuid4(), [shared], "app.plans")

    assert book.get(shared) is None
