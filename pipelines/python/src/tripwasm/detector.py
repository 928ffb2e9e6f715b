"""A running module: one rule set and the state of its windows. A trap costs the instance, never the stream."""

import dataclasses
import io
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

import wasmtime

from .errors import ContractError, StateError, TrappedError, TripwasmError
from .finding import Finding, FindingFormat
from .instance import Instance
from .lines import BATCH_BYTES, Batch, Events, batches, count_lines
from .module import Module, Source
from .quantity import duration_ms, size_bytes, time_ms
from .records import (
    Alert,
    Duplicates,
    Lesson,
    LostState,
    Mode,
    ModuleInfo,
    Options,
    Output,
    Reason,
    Remark,
    Report,
    Statistics,
)
from .totals import Totals

END_OF_TIME = (1 << 63) - 1
"""The watermark that closes every window."""

_LOG = logging.getLogger("tripwasm")
_T = TypeVar("_T")

Lines = bytes | bytearray | memoryview | str
"""Whole lines of NDJSON."""

# What an address can tell.
_BATCH_BYTES_MAX = 1 << 31

# Input between two checkpoints, at least, and in sizes of a checkpoint: a trap costs the windows little, and large states
# cost the stream little.
_CHECKPOINT_INPUT_BYTES_MIN = 64 << 20
_CHECKPOINT_INPUT_PER_BYTE = 16

# Room beside the state and a snapshot of it: for batches, findings and rules.
_MEMORY_BESIDE_STATE = 256 << 20
_WASM32_BYTES = 4 << 30


class Detector:
    """Rules and the state of their windows.

    Any thread may call it; calls wait for each other, since there is one state. Detectors of one `Module` run beside each
    other: Python's lock is free while a module evaluates. An iterator of `tag` or `findings` belongs to one thread.
    """

    def __init__(
        self,
        source: Module | Source,
        *,
        lateness: str | timedelta | None = None,
        duplicates: Duplicates | None = None,
        memory: str | int | None = None,
        learn_from: int | datetime | None = None,
        memory_limit: str | int | None = None,
    ) -> None:
        """Starts a module; what is not given is as the rules were built.

        `lateness` is how late events may come, such as "20m"; `memory` bounds the state of windows, such as "256MiB";
        `learn_from` is when first-seen rules began to learn. `memory_limit` bounds the sandbox's whole memory, by default to
        three times the state and 256 MiB.
        """
        self.module = source if isinstance(source, Module) else Module(source)
        options = self.module.info.options
        if lateness is not None:
            options = dataclasses.replace(options, lateness_ms=duration_ms(lateness))
        if duplicates is not None:
            if duplicates not in ("once", "count"):
                raise ValueError(f"duplicates={duplicates!r}: write 'once' or 'count'")
            options = dataclasses.replace(options, duplicates=duplicates)
        if memory is not None:
            options = dataclasses.replace(options, state_bytes_max=size_bytes(memory))
        if learn_from is not None:
            options = dataclasses.replace(options, learn_from=time_ms(learn_from))
        self.options: Options = options
        """The options in force."""
        limit = min(3 * options.state_bytes_max + _MEMORY_BESIDE_STATE, _WASM32_BYTES)
        self.memory_bytes_max = limit if memory_limit is None else size_bytes(memory_limit)
        """Bound on the sandbox's whole memory."""
        self.position = 0
        """Of the next event in the whole input, unless a call says otherwise."""
        self._format = FindingFormat(self.info)
        self._totals = Totals(len(self.info.rules))
        self._remarks: Counter[Reason] = Counter()
        self._checkpoint: bytes | None = None
        self._bytes_since_checkpoint = 0
        self._instance: Instance | None = None
        # Calls from the inside of calls, as for checkpoints, hold it already.
        self._lock = threading.RLock()
        self._running()

    @property
    def info(self) -> ModuleInfo:
        """What the module says of itself: rules, fields, limits, options as built."""
        return self.module.info

    @property
    def traps(self) -> int:
        """How many calls trapped."""
        return self._totals.traps

    def evaluate(self, events: Lines, *, first_event: int | None = None, now: int | datetime | None = None) -> Report:
        """Evaluates whole lines of NDJSON. Raises `TrappedError` after a trap; the detector goes on.

        `first_event` is the position of the first line in the whole input; without it positions go on. `now` is the wall
        clock of a live stream; a replay gives none.
        """
        clock = None if now is None else time_ms(now)
        data = _bytes(events)
        with self._lock:
            first = self._arrived(data, first_event)
            report = self._call("evaluate", lambda instance: instance.evaluate(data, first, clock))
            self._note_batch(data, report.remarks)
            return report

    def transform(
        self,
        events: Lines,
        *,
        mode: Mode = "tag",
        first_event: int | None = None,
        now: int | datetime | None = None,
    ) -> Output:
        """As `evaluate`, and gives the events back: all, with findings spliced in (`tag`), only tagged ones (`filter`), or all
        but those that a rule with `action: drop` matched (`drop`).
        """
        if mode not in ("tag", "filter", "drop"):
            raise ValueError(f"mode={mode!r}: write 'tag', 'filter' or 'drop'")
        clock = None if now is None else time_ms(now)
        data = _bytes(events)
        with self._lock:
            first = self._arrived(data, first_event)
            output = self._call("transform", lambda instance: instance.transform(data, first, clock, mode))
            self._note_batch(data, output.remarks)
            return output

    def close(self, watermark: int | datetime | None = None) -> list[Alert]:
        """Closes every window that ends by then; all of them at the end of the input, where nothing is given."""
        end = END_OF_TIME if watermark is None else time_ms(watermark)
        with self._lock:
            alerts = self._call("close", lambda instance: instance.close(end))
            self._note_changes()
            return alerts

    def learn(self, events: Lines) -> Lesson:
        """Feeds the baselines of first-seen rules from history, in any order, without alerts."""
        data = _bytes(events)
        with self._lock:
            lesson = self._call("learn", lambda instance: instance.learn(data))
            self._note_changes()
            return lesson

    def snapshot(self) -> bytes:
        """The state of all windows and the counters. An instance after a trap begins with it."""
        with self._lock:
            # Near the memory limit the snapshot itself would trap, and take the windows with it.
            if self._totals.state_bytes * 2 >= self.memory_bytes_max:
                raise StateError(
                    f"the sandbox of {self.memory_bytes_max >> 20} MiB has no room for a snapshot of its state, "
                    "bound the state to less (`memory`)"
                )
            state = self._call("snapshot", lambda instance: instance.snapshot())
            self._keep_checkpoint(state)
            return state

    def restore(self, state: bytes) -> list[LostState]:
        """Puts a snapshot in the place of the state; positions go on behind the events it counted.

        Returns the correlations whose state was dropped because they were changed or removed since. `StateError` if it is
        damaged, or of other rules or another version; the old state stays then.
        """
        with self._lock:
            lost = self._call("restore", lambda instance: instance.restore(state))
            self._keep_checkpoint(state)
            self.position = self._totals.events
            return lost

    def statistics(self) -> Statistics:
        """All counts, those of instances that trapped included."""
        with self._lock:
            self._note_statistics()
            return Statistics(self._totals.sum(), self._totals.traps, dict(self._remarks))

    def finding(self, alert: Alert) -> Finding:
        """An alert as `tripwasm run --mode findings` writes it."""
        return self._format.alert(alert)

    def matches(self, report: Report, source: str = "") -> list[Finding]:
        """The matches of a report as `tripwasm run --mode findings` writes them."""
        return self._format.matches(report, source)

    def tag(
        self,
        events: Events,
        mode: Mode = "tag",
        *,
        on_alert: Callable[[Finding], None] | None = None,
        batch_bytes: int = BATCH_BYTES,
        live: bool = False,
        keep_open: bool = False,
    ) -> Iterator[bytes]:
        """Yields the events of an input, each with its line break, as `transform` gives them back.

        `on_alert` gets alerts as they open, close or are withdrawn. A batch that traps passes through as it came; a line beyond
        16 MiB does so in pieces. `live` gives the module the wall clock; with `batch_bytes=1` events go on as they arrive. At
        the end windows close, unless they are kept open for a `snapshot`.
        """
        for batch in batches(events, batch_bytes):
            data = batch.data
            if batch.is_evaluated:
                try:
                    output = self.transform(data, mode=mode, now=_now_ms() if live else None)
                    data = output.events
                    self._tell(output.alerts, on_alert)
                except TrappedError as trapped:
                    _LOG.warning("%s; its batch of %d lines passed through", trapped, batch.lines)
            else:
                self._note_long_line(batch)
                # Filtering keeps tagged events only, and nobody can tag this one.
                if mode == "filter":
                    continue
            yield from io.BytesIO(data)
        if not keep_open:
            self._tell(self._close_at_end(), on_alert)

    def findings(
        self,
        events: Events,
        *,
        source: str = "",
        batch_bytes: int = BATCH_BYTES,
        live: bool = False,
        keep_open: bool = False,
    ) -> Iterator[Finding]:
        """Yields what the rules find in an input, as `tripwasm run --mode findings` writes it; `source` is its name there.

        A batch that traps finds nothing and is counted. At the end windows close, unless they are kept open for a `snapshot`.
        """
        for batch in batches(events, batch_bytes):
            if not batch.is_evaluated:
                self._note_long_line(batch)
                continue
            try:
                report = self.evaluate(batch.data, now=_now_ms() if live else None)
            except TrappedError as trapped:
                _LOG.warning("%s; its batch of %d lines was not evaluated", trapped, batch.lines)
                continue
            yield from self._format.matches(report, source)
            yield from map(self._format.alert, report.alerts)
        if not keep_open:
            yield from map(self._format.alert, self._close_at_end())

    def _call(self, call: str, run: Callable[[Instance], _T]) -> _T:
        """Runs one call. A trap ends the instance; a new one stands in its place before this raises."""
        instance = self._running()
        try:
            return run(instance)
        except StateError:
            raise
        except (wasmtime.Trap, wasmtime.WasmtimeError, ContractError) as error:
            reason = self._reason(error, instance)
            self._instance = None
            self._totals.trapped()
            self._running()
            raise TrappedError(call, reason) from error

    def _running(self) -> Instance:
        if self._instance is None:
            try:
                instance = self.module.start(self.memory_bytes_max)
                instance.configure(self.options)
                if self._checkpoint is not None:
                    instance.restore(self._checkpoint)
            except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
                raise TripwasmError(f"no instance of the module can be started: {error}") from error
            self._instance = instance
        return self._instance

    def _reason(self, error: Exception, instance: Instance) -> str:
        # A trap is told with the frames it went through, of which the module keeps no names.
        text = str(error).strip().splitlines()
        cause = text[-1].strip() if text else type(error).__name__
        used, limit = instance.memory_bytes >> 20, self.memory_bytes_max >> 20
        return f"{cause} (its memory was {used} of {limit} MiB)"

    def _arrived(self, events: bytes, first_event: int | None) -> int:
        first = self.position if first_event is None else first_event
        self.position = first + count_lines(events)
        return first

    def _note_batch(self, events: bytes, remarks: list[Remark]) -> None:
        self._remarks.update(remark.reason for remark in remarks)
        self._note_changes()
        # Without windows there is nothing that an instance after a trap would miss.
        if self.info.levels == 0:
            return
        self._bytes_since_checkpoint += len(events)
        last = len(self._checkpoint or b"")
        if self._bytes_since_checkpoint >= max(_CHECKPOINT_INPUT_BYTES_MIN, last * _CHECKPOINT_INPUT_PER_BYTE):
            try:
                self.snapshot()
            except (StateError, TrappedError) as error:
                # Without a checkpoint, a trap costs more; the stream goes on all the same.
                _LOG.warning("no checkpoint: %s", error)

    def _note_long_line(self, batch: Batch) -> None:
        with self._lock:
            self.position += batch.lines
            self._remarks["too-large"] += batch.lines

    def _note_changes(self) -> None:
        """Keeps the counts outside, where a trap cannot take them."""
        if self._instance is not None:
            self._totals.note_changes(self._instance.changes())

    def _note_statistics(self) -> None:
        if self._instance is not None:
            self._totals.note(self._instance.statistics())

    def _keep_checkpoint(self, state: bytes) -> None:
        self._note_statistics()
        self._checkpoint = state
        self._bytes_since_checkpoint = 0
        self._totals.checkpoint()

    def _tell(self, alerts: list[Alert], on_alert: Callable[[Finding], None] | None) -> None:
        if on_alert is not None:
            for alert in alerts:
                on_alert(self._format.alert(alert))

    def _close_at_end(self) -> list[Alert]:
        try:
            return self.close()
        except TrappedError as trapped:
            _LOG.warning("%s; windows did not close", trapped)
            return []


def _bytes(events: Lines) -> bytes:
    if not isinstance(events, Lines):
        raise TypeError(f"events are bytes or str, not {type(events).__name__}")
    data = events.encode() if isinstance(events, str) else bytes(events)
    if len(data) >= _BATCH_BYTES_MAX:
        raise ValueError(f"a batch of {len(data) >> 20} MiB: hand over less than 2 GiB at a time, best 64 KiB to 4 MiB")
    return data


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
