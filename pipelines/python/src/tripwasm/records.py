"""The contract's records, in the words of `wit/detect.wit`. Times are milliseconds since 1970-01-01T00:00:00Z."""

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["informational", "low", "medium", "high", "critical"]
RuleKind = Literal["detection", "correlation"]
Action = Literal["tag", "drop"]
Duplicates = Literal["once", "count"]
AlertState = Literal["open", "closed", "withdrawn"]
Mode = Literal["tag", "filter", "drop"]
Reason = Literal[
    "empty",
    "not-utf8",
    "malformed",
    "not-an-object",
    "too-large",
    "too-deep",
    "duplicate-key",
    "tagged-before",
]


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """One Sigma document. Findings name it by its position in `ModuleInfo.rules`."""

    id: str | None
    name: str | None
    title: str
    level: Level | None
    tags: list[str]
    author: str | None
    kind: RuleKind
    action: Action
    reported: bool
    group_bytes_max: int | None

    @property
    def label(self) -> str:
        """What people call it: its name, else its id, else its title."""
        if self.name is not None:
            return self.name
        return self.title if self.id is None else self.id


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds the module keeps."""

    event_bytes_max: int
    nesting_depth_max: int
    alert_events_max: int
    jump_events_min: int


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of a running instance; the defaults are baked."""

    lateness_ms: int
    duplicates: Duplicates
    state_bytes_max: int
    learn_from: int | None


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """What the module is."""

    version: str
    rules: list[RuleInfo]
    levels: int
    fields: list[str]
    limits: Limits
    options: Options


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one line that should be counted; the line passes through unchanged."""

    event: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Match:
    """A rule holds for an event. The event's id stands in `Report.texts`."""

    event: int
    time: int | None
    rule: int
    id_start: int
    id_end: int


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One group-by field and its value as text."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Observation:
    """Distinct values of one field over an alert's events."""

    field: str
    values: list[str] | None
    distinct: int | None


@dataclass(frozen=True, slots=True)
class Alert:
    """A correlation holds for a group of events."""

    state: AlertState
    id: str
    rule: int
    group: list[GroupMember]
    window_start: int
    window_end: int
    count: int
    first: int
    last: int
    events: list[int]
    event_ids: list[str]
    observations: list[Observation]
    truncated: bool
    measured: str | None
    uncounted: int
    opened_by: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """An event that is not a plain pass."""

    event: int
    action: Action


@dataclass(frozen=True, slots=True)
class Report:
    """What `evaluate` found in a batch."""

    verdicts: list[Verdict]
    matches: list[Match]
    texts: bytes
    alerts: list[Alert]
    remarks: list[Remark]

    def event_id(self, match: Match) -> str | None:
        """The id of the event that a match is about."""
        text = self.texts[match.id_start : match.id_end]
        return text.decode("utf-8", "replace") or None


@dataclass(frozen=True, slots=True)
class Output:
    """What `transform` gives back of a batch."""

    events: bytes
    alerts: list[Alert]
    remarks: list[Remark]
    tagged: int
    removed: int


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """Counts of one rule."""

    matched: int = 0
    late: int = 0
    ungrouped: int = 0
    duplicate: int = 0
    refused: int = 0
    evicted: int = 0
    groups: int = 0


@dataclass(frozen=True, slots=True)
class Eviction:
    """A group that was given up because state reached its bound."""

    rule: int
    group: list[GroupMember]


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the module; `rules` is parallel to `ModuleInfo.rules`."""

    events: int
    future_events: int
    without_time: int
    rules: list[RuleCounts]
    watermark: int | None
    state_bytes: int
    evictions: list[Eviction]


@dataclass(frozen=True, slots=True)
class RuleChange:
    """Counts of one rule, changed."""

    rule: int
    counts: RuleCounts


@dataclass(frozen=True, slots=True)
class ChangedCounts:
    """Counts without rules whose counts are as they were."""

    events: int
    future_events: int
    without_time: int
    state_bytes: int
    rules: list[RuleChange]


@dataclass(frozen=True, slots=True)
class LostState:
    """Whose state `restore` dropped because the snapshot was taken under other rules."""

    rule: str
    groups: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """What `learn` took in."""

    learned: int
    remarks: list[Remark]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts of a detector over all its instances: a trap takes none."""

    counts: Counts
    traps: int
    """Calls that trapped; their batches passed through."""
    remarks: dict[Reason, int] = field(default_factory=dict)
    """How often each reason was told; all but the last two mean that a line passed through unevaluated."""
