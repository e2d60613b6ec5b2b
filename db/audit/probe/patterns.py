"""A text that fits a regular expression, as far as checks use them: classes, groups, choices, repetitions."""

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass

_CLASSES = {
    "d": string.digits,
    "w": string.ascii_lowercase + string.digits + "_",
    "s": " ",
    "D": string.ascii_lowercase,
    "W": "-",
    "S": string.ascii_lowercase,
}
_POSIX = {
    "alpha": string.ascii_letters,
    "digit": string.digits,
    "alnum": string.ascii_letters + string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "xdigit": "0123456789abcdef",
    "space": " ",
    "punct": "-.",
}
_PRINTABLE = string.ascii_letters + string.digits + "-_. @/:+"
_OFTEN = 8
"""How often something is repeated that may be repeated at will: often enough to be unlike the last."""


class UnknownPatternError(ValueError):
    """The pattern uses something that is not known here."""


def fitting(pattern: str) -> str:
    """Return a random text that the pattern describes.

    Raises:
        UnknownPatternError: it looks ahead, refers back, or is no pattern.
    """
    reader = _Reader(pattern)
    text = reader.choice()
    if reader.rest:
        raise UnknownPatternError(pattern)
    return text


@dataclass(slots=True)
class _Reader:
    rest: str

    def choice(self) -> str:
        """Read up to a closing bracket or the end; return one of the alternatives, chosen at random."""
        options = [self._sequence()]
        while self.rest.startswith("|"):
            self._take(1)
            options.append(self._sequence())
        return secrets.choice(options)

    def _sequence(self) -> str:
        made = ""
        while self.rest and self.rest[0] not in "|)":
            started = self.rest
            self._atom()
            spelled = started[: len(started) - len(self.rest)]
            # Drawn anew for each repetition: [a-z]{3} is not the same letter three times.
            made += "".join(_Reader(spelled)._atom() for _ in range(self._times()))
        return made

    def _times(self) -> int:
        least, most = self._quantifier()
        return max(least, min(most, _OFTEN))

    def _quantifier(self) -> tuple[int, int]:
        if not self.rest or self.rest[0] not in "*+?{":
            return 1, 1
        sign = self._take(1)
        if sign == "{":
            inside, closed, after = self.rest.partition("}")
            low, comma, high = inside.partition(",")
            if not closed or not low.isdigit() or (high and not high.isdigit()):
                raise UnknownPatternError(self.rest)
            self.rest = after
            least, most = int(low), int(high) if high else (10_000 if comma else int(low))
        else:
            least, most = {"*": (0, 10_000), "+": (1, 10_000), "?": (0, 1)}[sign]
        if self.rest.startswith("?"):
            self._take(1)
        return least, most

    def _atom(self) -> str:
        sign = self._take(1)
        match sign:
            case "^" | "$":
                return ""
            case ".":
                return secrets.choice(_PRINTABLE)
            case "[":
                return secrets.choice(self._class())
            case "(":
                return self._group()
            case "\\":
                return self._escaped()
            case "*" | "+" | "?" | "{":
                raise UnknownPatternError(sign)
        return sign

    def _group(self) -> str:
        if self.rest.startswith("?:"):
            self._take(2)
        elif self.rest.startswith("?"):
            raise UnknownPatternError(self.rest)
        made = self.choice()
        if self._take(1) != ")":
            raise UnknownPatternError(self.rest)
        return made

    def _escaped(self) -> str:
        sign = self._take(1)
        if sign in _CLASSES:
            return secrets.choice(_CLASSES[sign])
        if sign.isalnum():
            raise UnknownPatternError(sign)
        return sign

    def _class(self) -> Sequence[str]:
        negated = self.rest.startswith("^")
        if negated:
            self._take(1)
        members: list[str] = []
        while not self.rest.startswith("]") or not members:
            members += self._members()
        self._take(1)
        allowed = [sign for sign in _PRINTABLE if sign not in members] if negated else members
        if not allowed:
            raise UnknownPatternError("[]")
        return allowed

    def _members(self) -> Sequence[str]:
        if self.rest.startswith("[:"):
            name, _, self.rest = self.rest[2:].partition(":]")
            return list(_POSIX.get(name, ""))
        first = self._take(1)
        if first == "\\":
            sign = self._take(1)
            return list(_CLASSES.get(sign, sign))
        if len(self.rest) > 1 and self.rest[0] == "-" and self.rest[1] != "]":
            self._take(1)
            last = self._take(1)
            return [chr(code) for code in range(ord(first), ord(last) + 1)]
        return [first]

    def _take(self, count: int) -> str:
        taken, self.rest = self.rest[:count], self.rest[count:]
        if len(taken) < count:
            raise UnknownPatternError("ends too early")
        return taken
