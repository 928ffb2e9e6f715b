"""Findings as dicts: the JSON that `tripwasm run --mode findings` writes, with its keys in the same order."""

import re
from typing import Any

from .records import Alert, Match, ModuleInfo, Report, RuleInfo

Finding = dict[str, Any]
"""What `json.loads` makes of a line that `tripwasm run --mode findings` writes. Findings share the dict of their rule."""

_DAY_MS = 24 * 60 * 60 * 1000
# RFC 3339 says the years 0 to 9999; the last is cut where the host's library for times cuts it.
_FIRST_MS = -62_167_219_200_000
_LAST_MS = 253_402_207_200_000


class FindingFormat:
    """Makes findings of one module's answers."""

    def __init__(self, info: ModuleInfo) -> None:
        """Of a module that describes itself so."""
        self._rules = [_rule(rule) for rule in info.rules]

    def matches(self, report: Report, source: str) -> list[Finding]:
        """The matches of a report; `source` is the input the events came from."""
        return [
            {
                "kind": "match",
                "event": match.event,
                "event_id": report.event_id(match),
                "time": None if match.time is None else rfc3339(match.time),
                "source": source,
                "rule": self._named(match),
            }
            for match in report.matches
        ]

    def alert(self, alert: Alert) -> Finding:
        """An alert. `measured` is a binary number here; its digits stand in `Alert.measured`."""
        finding: Finding = {
            "kind": "alert",
            "state": alert.state,
            "id": alert.id,
            "rule": self._named(alert),
            "group": {member.field: member.value for member in alert.group},
            "window": {"start": rfc3339(alert.window_start), "end": rfc3339(alert.window_end)},
            "count": alert.count,
            "first": rfc3339(alert.first),
            "last": rfc3339(alert.last),
            "events": alert.events,
            "event_ids": [event_id or None for event_id in alert.event_ids],
            "values": {seen.field: seen.values for seen in alert.observations if seen.values is not None},
            "distinct": {seen.field: seen.distinct for seen in alert.observations if seen.distinct is not None},
        }
        measured = None if alert.measured is None else _number(alert.measured)
        if measured is not None:
            finding["measured"] = measured
        if alert.truncated:
            finding["truncated"] = True
        if alert.uncounted:
            finding["exact"] = False
            finding["uncounted"] = alert.uncounted
        return finding

    def _named(self, found: Match | Alert) -> Finding | None:
        return self._rules[found.rule] if found.rule < len(self._rules) else None


def rfc3339(ms: int) -> str | None:
    """UTC with `Z`, with a fraction only when it is not zero; None outside the years that RFC 3339 can say."""
    if not _FIRST_MS <= ms <= _LAST_MS:
        return None
    days, of_day = divmod(ms, _DAY_MS)
    seconds, fraction = divmod(of_day, 1000)
    year, month, day = _civil_date(days)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    text = f"{year:04}-{month:02}-{day:02}T{clock}"
    return f"{text}.{fraction:03}".rstrip("0") + "Z" if fraction else text + "Z"


def _civil_date(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day since 1970; `datetime` knows no year 0. Years begin in March here."""
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    of_year = day - (365 * year + year // 4 - year // 100)
    march_month = (5 * of_year + 2) // 153
    of_month = of_year - (153 * march_month + 2) // 5 + 1
    month = march_month + 3 if march_month < 10 else march_month - 9
    return year + 400 * era + (month <= 2), month, of_month


def _number(text: str) -> int | float | None:
    """As `json.loads` reads it; None if the module's text is no number."""
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return None
    return float(text) if "." in text else int(text)


def _rule(rule: RuleInfo) -> Finding:
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "level": rule.level,
        "tags": rule.tags,
        "author": rule.author,
    }
