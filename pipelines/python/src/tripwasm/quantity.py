"""Durations, sizes and times as people write them; the texts are those of the command line."""

import re
from datetime import datetime, timedelta, timezone

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BYTES = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MS = timedelta(milliseconds=1)


def duration_ms(duration: str | timedelta) -> int:
    """Milliseconds of a duration, such as "90s", "20m" or "7d"."""
    if isinstance(duration, timedelta):
        ms = duration // _MS
        if ms < 0:
            raise ValueError(f"{duration} is negative")
        return ms
    found = re.fullmatch(r"([0-9]+)([smhdw])", duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration: write a whole number and one of s, m, h, d, w, such as '20m'")
    return int(found[1]) * _SECONDS[found[2]] * 1000


def size_bytes(size: str | int) -> int:
    """Bytes of a size, such as "256MiB"; a number is bytes."""
    found = re.fullmatch(r"([0-9]+)\s*([A-Za-z]*)", str(size))
    if found is None or found[2] not in _BYTES:
        raise ValueError(f"{size!r} is no size: write a whole number and one of KiB, MiB, GiB, KB, MB, GB, such as '64MiB'")
    return int(found[1]) * _BYTES[found[2]]


def time_ms(time: int | datetime) -> int:
    """Milliseconds since 1970; a time without zone is UTC, as CloudTrail's are."""
    if isinstance(time, int):
        return time
    zoned = time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)
    return (zoned - _EPOCH) // _MS
