"""One instance of a module, called through the canonical ABI: bulk bytes go in and out in one copy each."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import wasmtime

from . import layout
from .errors import ContractError, StateError, TripwasmError
from .layout import Layout
from .records import (
    Alert,
    ChangedCounts,
    Counts,
    Lesson,
    LostState,
    Mode,
    ModuleInfo,
    Options,
    Output,
    Report,
)

INTERFACE = "tripwasm:detect/detector@0.1.0"

# Parameters of the contract's functions in the canonical ABI. All return an address.
FUNCTIONS: dict[str, str] = {
    "describe": "",
    "configure": "i64 i32 i64 i32 i64",
    "evaluate": "i32 i32 i64 i32 i64",
    "transform": "i32 i32 i64 i32 i64 i32",
    "close": "i64",
    "statistics": "",
    "changes": "",
    "snapshot": "",
    "restore": "i32 i32",
    "learn": "i32 i32",
}

DEFAULT_MEMORY_BYTES_MAX = 1 << 30
"""Enough for any module to describe itself."""

CALL_FUEL_MAX = 60_000_000_000
"""Instructions of one call, about: far beyond any batch, so that only a hanging module meets it. About a minute."""

STATE_ERRORS = ("damaged", "of another version of the engine", "of other rules")


class Instance:
    """A store and the instance in it. One thread at a time."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, memory_bytes_max: int) -> None:
        """Starts one that may take so much memory."""
        self._store = wasmtime.Store(engine)
        self._store.set_limits(memory_size=memory_bytes_max)
        self._store.set_fuel(CALL_FUEL_MAX)
        exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._functions = {name: function for name, function in exports.items() if isinstance(function, wasmtime.Func)}
        self._memory = cast(wasmtime.Memory, exports["memory"])
        # Where its memory lies and how long it is, which only calls change.
        self._base = 0
        self._length = 0
        initialize = self._functions.get("_initialize")
        if initialize is not None:
            initialize(self._store)
        self._look()

    def describe(self) -> ModuleInfo:
        """What the module holds."""
        return cast(ModuleInfo, self._call("describe", layout.MODULE_INFO))

    def configure(self, options: Options) -> None:
        """Changes options, before the first event."""
        learn = options.learn_from
        arguments = [
            _signed(options.lateness_ms, 64),
            ("once", "count").index(options.duplicates),
            _signed(options.state_bytes_max, 64),
            int(learn is not None),
            learn or 0,
        ]
        with self._called("configure", arguments) as at:
            if self.read(at, 1) != b"\0":
                raise TripwasmError("the module does not take options after its first event")

    def evaluate(self, events: bytes, first_event: int, now: int | None) -> Report:
        """Matches, alerts and remarks of a batch."""
        return cast(Report, self._call("evaluate", layout.REPORT, events, *_arrival(first_event, now)))

    def transform(self, events: bytes, first_event: int, now: int | None, mode: Mode) -> Output:
        """The batch given back."""
        arguments = [*_arrival(first_event, now), layout.MODES.index(mode)]
        return cast(Output, self._call("transform", layout.OUTPUT, events, *arguments))

    def close(self, watermark: int) -> list[Alert]:
        """Closes the windows that end by then."""
        return cast("list[Alert]", self._call("close", layout.ALERTS, None, watermark))

    def statistics(self) -> Counts:
        """All counts."""
        return cast(Counts, self._call("statistics", layout.COUNTS))

    def changes(self) -> ChangedCounts:
        """Counts that changed since the last call."""
        return cast(ChangedCounts, self._call("changes", layout.CHANGED_COUNTS))

    def snapshot(self) -> bytes:
        """The state as bytes."""
        return cast(bytes, self._call("snapshot", layout.BYTES))

    def learn(self, events: bytes) -> Lesson:
        """Feeds baselines."""
        return cast(Lesson, self._call("learn", layout.LESSON, events))

    def restore(self, state: bytes) -> list[LostState]:
        """Puts a snapshot in the place of the state."""
        with self._called("restore", self._given(state)) as at:
            outcome, error = self.read(at, 1)[0], self.read(at + 4, 1)[0]
            if outcome == 0:
                return cast("list[LostState]", layout.listed(layout.LOST_STATE).read(self, at + 4))
            if error >= len(STATE_ERRORS):
                raise ContractError(f"restore failed with the unknown error {error}; build the rules again")
            raise StateError(f"the saved state is {STATE_ERRORS[error]}")

    @property
    def memory_bytes(self) -> int:
        """What its memory has grown to; it may be asked after a trap."""
        return self._memory.data_len(self._store)

    def read(self, at: int, length: int) -> bytes:
        """Copies bytes out of its memory."""
        # A module that lies about places must not read ours.
        if at + length > self._length:
            raise ContractError(f"the module named {length} bytes at {at}, outside its memory")
        return ctypes.string_at(self._base + at, length)

    def _call(self, function: str, result: Layout, events: bytes | None = None, *arguments: int) -> Any:
        given = [] if events is None else self._given(events)
        with self._called(function, [*given, *arguments]) as at:
            return result.read(self, at)

    @contextmanager
    def _called(self, function: str, arguments: list[int]) -> Iterator[int]:
        """Calls a function; its results stand at the address until the block ends."""
        name = f"{INTERFACE}#{function}"
        self._store.set_fuel(CALL_FUEL_MAX)
        address = self._functions[name](self._store, *arguments)
        self._look()
        yield address & 0xFFFF_FFFF
        free = self._functions.get(f"cabi_post_{name}")
        if free is not None:
            free(self._store, address)

    def _given(self, value: bytes) -> list[int]:
        """Hands bytes over: the module owns them from then on."""
        self._store.set_fuel(CALL_FUEL_MAX)
        address: int = self._functions["cabi_realloc"](self._store, 0, 0, 1, len(value))
        at = address & 0xFFFF_FFFF
        self._look()
        if at + len(value) > self._length:
            raise ContractError(f"the module named {len(value)} bytes at {at}, outside its memory")
        ctypes.memmove(self._base + at, value, len(value))
        return [address, len(value)]

    def _look(self) -> None:
        self._length = self._memory.data_len(self._store)
        self._base = ctypes.addressof(self._memory.data_ptr(self._store).contents)


def _arrival(first_event: int, now: int | None) -> list[int]:
    return [_signed(first_event, 64), int(now is not None), now or 0]


def _signed(value: int, bits: int) -> int:
    """As the engine's binding wants unsigned numbers."""
    return value - (1 << bits) if value >> (bits - 1) else value
