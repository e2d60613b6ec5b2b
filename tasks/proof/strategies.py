"""Hypothesis strategies for the JSON Schemas that pydantic writes.

Our own, because what there is speaks older drafts: pydantic writes 2020-12, with `prefixItems` for tuples and `$ref`s
that may lead back to where they stand.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tasks.proof.marks import ID_PLACEHOLDER, PLACEHOLDER

Strategy = SearchStrategy[Any]

# A task has to succeed to prove anything: what nobody has in mind, the year 9000 or 1e300, is left to other tests.
MOST_ITEMS = 3
LONGEST_TEXT = 40
LARGEST_NUMBER = 1e9
_EARLIEST, _LATEST = datetime(1970, 1, 1), datetime(2099, 12, 31)  # noqa: DTZ001 - hypothesis adds the time zone
# jsonb holds neither U+0000 nor halves of surrogate pairs.
_CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
_FORMATS: Mapping[str, Strategy] = {
    "date": st.dates(_EARLIEST.date(), _LATEST.date()).map(lambda day: day.isoformat()),
    "date-time": st.datetimes(_EARLIEST, _LATEST, timezones=st.just(UTC)).map(lambda moment: moment.isoformat()),
    "time": st.times().map(lambda time: time.isoformat()),
    "duration": st.integers(0, 10**6).map(lambda seconds: f"PT{seconds}S"),
    "uuid": st.just(ID_PLACEHOLDER),
    "email": st.just(f"{PLACEHOLDER}@example.com"),
    "uri": st.just(f"https://example.com/{PLACEHOLDER}"),
    "ipv4": st.ip_addresses(v=4).map(str),
    "ipv6": st.ip_addresses(v=6).map(str),
    "json-string": st.sampled_from(["{}", "[]", "null"]),
}


def payloads_of(schema: Mapping[str, Any]) -> Strategy:
    """Return a strategy for what fits the schema, as far as the schema tells."""
    return _Schemas(schema).strategy(schema)


class _Schemas:
    """A schema and the definitions it refers to."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = root.get("$defs", {})
        self._referred: dict[str, Strategy] = {}

    def strategy(self, schema: Mapping[str, Any]) -> Strategy:
        if "$ref" in schema:
            return self._definition(schema["$ref"].rpartition("/")[2])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return st.one_of([self.strategy(each) for each in schema[several]])
        if "allOf" in schema:
            return self.strategy({key: value for each in schema["allOf"] for key, value in each.items()})
        return self._of_type(schema)

    def _definition(self, name: str) -> Strategy:
        if name not in self._referred:
            # First a promise, so that a model that holds itself finds itself.
            self._referred[name] = st.deferred(lambda: self.strategy(self._definitions[name]))
        return self._referred[name]

    def _of_type(self, schema: Mapping[str, Any]) -> Strategy:
        match schema.get("type"):
            case "null":
                return st.none()
            case "boolean":
                return st.booleans()
            case "integer":
                return _integers(schema)
            case "number":
                return _numbers(schema)
            case "string":
                return _texts(schema)
            case "array":
                return self._arrays(schema)
            case "object":
                return self._objects(schema)
            case list(types):
                return st.one_of([self._of_type({**schema, "type": each}) for each in types])
            case _:
                return st.none() | st.booleans() | st.integers(0, 100) | st.just(PLACEHOLDER)

    def _arrays(self, schema: Mapping[str, Any]) -> Strategy:
        first = [self.strategy(each) for each in schema.get("prefixItems", ())]
        if first and not isinstance(schema.get("items"), dict):
            return st.tuples(*first).map(list)
        least = schema.get("minItems", 0)
        return st.lists(
            self.strategy(schema.get("items", {})),
            min_size=least,
            max_size=min(schema.get("maxItems", least + MOST_ITEMS), least + MOST_ITEMS),
            unique_by=repr if schema.get("uniqueItems") else None,
        )

    def _objects(self, schema: Mapping[str, Any]) -> Strategy:
        fields = {name: self.strategy(each) for name, each in schema.get("properties", {}).items()}
        if not fields and isinstance(schema.get("additionalProperties"), dict):
            values = self.strategy(schema["additionalProperties"])
            least = schema.get("minProperties", 0)
            keys = st.text("abcdefgh", min_size=1, max_size=8)
            return st.dictionaries(keys, values, min_size=least, max_size=least + MOST_ITEMS)
        required = schema.get("required", [])
        return st.fixed_dictionaries(
            {name: each for name, each in fields.items() if name in required},
            optional={name: each for name, each in fields.items() if name not in required},
        )


def _integers(schema: Mapping[str, Any]) -> Strategy:
    # Without bounds what an integer column holds: most of what tasks do with a number ends there.
    step = int(schema.get("multipleOf", 1))
    least = schema.get("minimum", schema.get("exclusiveMinimum", -(2**31)) + ("exclusiveMinimum" in schema))
    most = schema.get("maximum", schema.get("exclusiveMaximum", 2**31 - 1) - ("exclusiveMaximum" in schema))
    return st.integers(-(-least // step), max(least, most) // step).map(lambda number: number * step)


def _numbers(schema: Mapping[str, Any]) -> Strategy:
    if "multipleOf" in schema:
        return _integers({**schema, "multipleOf": max(1, int(schema["multipleOf"]))})
    least = schema.get("minimum", schema.get("exclusiveMinimum", -LARGEST_NUMBER))
    return st.floats(
        min_value=least,
        max_value=schema.get("maximum", schema.get("exclusiveMaximum", max(LARGEST_NUMBER, 2 * least))),
        exclude_min="exclusiveMinimum" in schema,
        exclude_max="exclusiveMaximum" in schema,
        allow_nan=False,
        allow_infinity=False,
    )


def _texts(schema: Mapping[str, Any]) -> Strategy:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    least, most = schema.get("minLength", 0), schema.get("maxLength", LONGEST_TEXT)
    if "pattern" in schema:
        fitting = st.from_regex(schema["pattern"], alphabet=_CHARACTERS).map(lambda found: found.rstrip("\n"))
        return fitting.filter(lambda found: least <= len(found) <= max(most, least))
    anything = st.text(_CHARACTERS, min_size=least, max_size=max(least, min(most, LONGEST_TEXT)))
    fits = least <= len(PLACEHOLDER) <= most
    # A mark first: it is what shows when the text turns up elsewhere.
    return st.just(PLACEHOLDER) | anything if fits else anything
