"""Counts that outlive an instance."""

import dataclasses
from collections.abc import Callable

from .records import ChangedCounts, Counts, RuleCounts


class Totals:
    """The module's counts over all instances of one detector."""

    def __init__(self, rules: int) -> None:
        """Nothing counted yet, of so many rules."""
        nothing = Counts(0, 0, 0, [RuleCounts()] * rules, None, 0, [])
        # Counted by instances that are gone, beyond their last checkpoint.
        self._lost = nothing
        self._current = nothing
        self._checkpoint = nothing
        self.traps = 0
        """Instances that a trap ended."""

    def note(self, counts: Counts) -> None:
        """The running instance's counts now."""
        self._current = counts

    def note_changes(self, changes: ChangedCounts) -> None:
        """What changed of the running instance's counts."""
        rules = self._current.rules
        if changes.rules:
            rules = rules.copy()
            for change in changes.rules:
                rules[change.rule] = change.counts
        self._current = Counts(
            changes.events,
            changes.future_events,
            changes.without_time,
            rules,
            self._current.watermark,
            changes.state_bytes,
            self._current.evictions,
        )

    @property
    def state_bytes(self) -> int:
        """Memory that the running instance's state takes, as far as it told."""
        return self._current.state_bytes

    @property
    def events(self) -> int:
        """Events that the running instance counted, those of the snapshot it began with included."""
        return self._current.events

    def checkpoint(self) -> None:
        """An instance after a trap will begin with the present counts."""
        self._checkpoint = self._current

    def trapped(self) -> None:
        """The instance is gone, the next begins at the checkpoint."""
        beyond = _combine(self._current, self._checkpoint, lambda now, then: max(now - then, 0))
        self._lost = _combine(self._lost, beyond, int.__add__)
        self._current = self._checkpoint
        self.traps += 1

    def sum(self) -> Counts:
        """All counts; what is held now (groups, bytes of state) is that of the running instance."""
        return _combine(self._current, self._lost, int.__add__)


def _combine(left: Counts, right: Counts, combine: Callable[[int, int], int]) -> Counts:
    """Counts combined one by one; what is no count is that of `left`."""
    rules = [
        RuleCounts(
            combine(one.matched, other.matched),
            combine(one.late, other.late),
            combine(one.ungrouped, other.ungrouped),
            combine(one.duplicate, other.duplicate),
            combine(one.refused, other.refused),
            combine(one.evicted, other.evicted),
            one.groups,
        )
        for one, other in zip(left.rules, right.rules, strict=True)
    ]
    return dataclasses.replace(
        left,
        events=combine(left.events, right.events),
        future_events=combine(left.future_events, right.future_events),
        without_time=combine(left.without_time, right.without_time),
        rules=rules,
    )
