"""How values of the contract lie in the module's memory: the component model's canonical ABI, as far as it is used.

A layout flattens what lies in a place to scalars, so that a record costs one `struct` call, and a list of records one for
all. Bulk bytes are copied whole.
"""

import dataclasses
import struct
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from . import records
from .errors import ContractError


class Memory(Protocol):
    """Where values lie."""

    def read(self, at: int, length: int) -> bytes:
        """Copies bytes out; fails outside the memory."""


Scalars = Sequence[Any]
Lift = Callable[[Memory, Scalars, int], Any]


class Layout:
    """Size, alignment and scalars of a type, and how they become a value."""

    def __init__(self, size: int, align: int, codes: str, lift: Lift | None = None) -> None:
        """`codes` are those of `struct`, padding included; without `lift` the only scalar is the value."""
        self.size = size
        self.align = align
        self.codes = codes
        self.lift = lift
        self._struct = struct.Struct("<" + codes)
        self.scalars = len(self._struct.unpack(bytes(self._struct.size)))
        if self._struct.size != size:
            raise AssertionError(f"{codes} takes {self._struct.size} bytes, not {size}")

    def read(self, memory: Memory, at: int) -> Any:
        """The value at an address."""
        scalars = self._struct.unpack(memory.read(at, self.size))
        return scalars[0] if self.lift is None else self.lift(memory, scalars, 0)

    def read_all(self, memory: Memory, at: int, count: int) -> list[Any]:
        """So many values in a row."""
        rows = self._struct.iter_unpack(memory.read(at, count * self.size))
        if self.lift is None:
            return [row[0] for row in rows]
        lift = self.lift
        return [lift(memory, row, 0) for row in rows]


U8 = Layout(1, 1, "B")
U32 = Layout(4, 4, "I")
U64 = Layout(8, 8, "Q")
S64 = Layout(8, 8, "q")
BOOL = Layout(1, 1, "?")
TEXT = Layout(8, 4, "II", lambda memory, row, at: memory.read(row[at], row[at + 1]).decode("utf-8", "replace"))
BYTES = Layout(8, 4, "II", lambda memory, row, at: memory.read(row[at], row[at + 1]))


def words(*names: str) -> Layout:
    """An enum, as its words."""

    def lift(_: Memory, row: Scalars, at: int) -> str:
        if row[at] >= len(names):
            raise ContractError(f"{row[at]} is none of {', '.join(names)}; build the rules again")
        return names[row[at]]

    return Layout(1, 1, "B", lift)


def listed(element: Layout) -> Layout:
    """A list."""
    return Layout(8, 4, "II", lambda memory, row, at: element.read_all(memory, row[at], row[at + 1]))


def option(some: Layout) -> Layout:
    """A value or None."""
    begin = max(1, some.align)
    padding = begin - 1
    trailing = _up(begin + some.size, some.align) - begin - some.size
    inner = some.lift

    def lift(memory: Memory, row: Scalars, at: int) -> Any:
        if not row[at]:
            return None
        return row[at + 1] if inner is None else inner(memory, row, at + 1)

    codes = f"B{'x' * padding}{some.codes}{'x' * trailing}"
    return Layout(begin + some.size + trailing, some.align, codes, lift)


def record(kind: type, *fields: Layout) -> Layout:
    """A record, as a dataclass whose fields stand in the same order."""
    if len(fields) != len(dataclasses.fields(kind)):
        raise AssertionError(f"{kind.__name__} has another number of fields")
    codes, size, scalars = "", 0, 0
    parts: list[tuple[int, Lift | None]] = []
    for layout in fields:
        begin = _up(size, layout.align)
        codes += "x" * (begin - size) + layout.codes
        size = begin + layout.size
        parts.append((scalars, layout.lift))
        scalars += layout.scalars
    align = max(layout.align for layout in fields)
    whole = _up(size, align)

    def lift(memory: Memory, row: Scalars, at: int) -> Any:
        return kind(*[row[at + place] if inner is None else inner(memory, row, at + place) for place, inner in parts])

    return Layout(whole, align, codes + "x" * (whole - size), lift)


def _up(at: int, align: int) -> int:
    return -(-at // align) * align


LEVEL = words("informational", "low", "medium", "high", "critical")
ACTION = words("tag", "drop")
DUPLICATES = words("once", "count")
REASON = words(
    "empty",
    "not-utf8",
    "malformed",
    "not-an-object",
    "too-large",
    "too-deep",
    "duplicate-key",
    "tagged-before",
)
MODES: tuple[records.Mode, ...] = ("tag", "filter", "drop")

RULE_INFO = record(
    records.RuleInfo,
    option(TEXT),
    option(TEXT),
    TEXT,
    option(LEVEL),
    listed(TEXT),
    option(TEXT),
    words("detection", "correlation"),
    ACTION,
    BOOL,
    option(U64),
)
LIMITS = record(records.Limits, U64, U32, U32, U32)
OPTIONS = record(records.Options, U64, DUPLICATES, U64, option(S64))
MODULE_INFO = record(records.ModuleInfo, TEXT, listed(RULE_INFO), U32, listed(TEXT), LIMITS, OPTIONS)
REMARK = record(records.Remark, U64, REASON)
MATCH = record(records.Match, U64, option(S64), U32, U32, U32)
GROUP_MEMBER = record(records.GroupMember, TEXT, TEXT)
OBSERVATION = record(records.Observation, TEXT, option(listed(TEXT)), option(U64))
ALERT = record(
    records.Alert,
    words("open", "closed", "withdrawn"),
    TEXT,
    U32,
    listed(GROUP_MEMBER),
    S64,
    S64,
    U64,
    S64,
    S64,
    listed(U64),
    listed(TEXT),
    listed(OBSERVATION),
    BOOL,
    option(TEXT),
    U64,
    option(U64),
)
ALERTS = listed(ALERT)
VERDICT = record(records.Verdict, U64, ACTION)
REPORT = record(records.Report, listed(VERDICT), listed(MATCH), BYTES, ALERTS, listed(REMARK))
OUTPUT = record(records.Output, BYTES, ALERTS, listed(REMARK), U64, U64)
RULE_COUNTS = record(records.RuleCounts, U64, U64, U64, U64, U64, U64, U64)
EVICTION = record(records.Eviction, U32, listed(GROUP_MEMBER))
COUNTS = record(records.Counts, U64, U64, U64, listed(RULE_COUNTS), option(S64), U64, listed(EVICTION))
CHANGED_COUNTS = record(records.ChangedCounts, U64, U64, U64, U64, listed(record(records.RuleChange, U32, RULE_COUNTS)))
LOST_STATE = record(records.LostState, TEXT, U64)
LESSON = record(records.Lesson, U64, listed(REMARK))
