"""CloudTrail detection rules as a sandboxed WebAssembly module.

>>> from tripwasm import Detector
>>> detector = Detector("cloudtrail.wasm")
>>> for finding in detector.findings("events.ndjson"):
...     print(finding["rule"]["title"])
"""

from .detector import END_OF_TIME, Detector
from .errors import ContractError, LoadError, StateError, TrappedError, TripwasmError
from .finding import Finding, rfc3339
from .lines import Events
from .module import Module
from .records import (
    Alert,
    Counts,
    GroupMember,
    Lesson,
    LostState,
    Match,
    Mode,
    ModuleInfo,
    Observation,
    Options,
    Output,
    Remark,
    Report,
    RuleCounts,
    RuleInfo,
    Statistics,
    Verdict,
)

__all__ = [
    "END_OF_TIME",
    "Alert",
    "ContractError",
    "Counts",
    "Detector",
    "Events",
    "Finding",
    "GroupMember",
    "Lesson",
    "LoadError",
    "LostState",
    "Match",
    "Mode",
    "Module",
    "ModuleInfo",
    "Observation",
    "Options",
    "Output",
    "Remark",
    "Report",
    "RuleCounts",
    "RuleInfo",
    "StateError",
    "Statistics",
    "TrappedError",
    "TripwasmError",
    "Verdict",
    "rfc3339",
]
