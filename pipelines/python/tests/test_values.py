"""How values lie in memory, and how they are written."""

import struct
from datetime import datetime, timedelta, timezone

import pytest

from tripwasm import layout, rfc3339
from tripwasm.quantity import duration_ms, size_bytes, time_ms


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_688_989_320_120, "2023-07-10T11:42:00.12Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
        (-62_167_219_200_001, None),
        (253_402_207_200_000, "9999-12-30T22:00:00Z"),
        (253_402_207_200_001, None),
        ((1 << 63) - 1, None),
    ],
)
def test_times_are_written_as_the_host_does(ms: int, text: str | None) -> None:
    assert rfc3339(ms) == text


def test_every_day_is_written_as_the_library_does() -> None:
    for days in range(-700_000, 2_900_000, 37):
        ms = days * 86_400_000 + days % 1000 * 1000
        day = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)
        assert rfc3339(ms) == day.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def test_layouts_are_those_of_the_canonical_abi() -> None:
    sizes = {"MATCH": 40, "REMARK": 16, "VERDICT": 16, "GROUP_MEMBER": 16, "OBSERVATION": 40, "RULE_COUNTS": 56, "REPORT": 40}
    assert {name: getattr(layout, name).size for name in sizes} == sizes


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, at: int, length: int) -> bytes:
        return self._data[at : at + length]


def test_words_beyond_the_contract_are_refused() -> None:
    memory = _Bytes(struct.pack("<QB7x", 5, 99))
    with pytest.raises(Exception, match="99 is none of empty"):
        layout.REMARK.read(memory, 0)


def test_quantities() -> None:
    assert duration_ms("20m") == duration_ms(timedelta(minutes=20)) == 1_200_000
    assert size_bytes("64MiB") == size_bytes(64 << 20) == 64 << 20
    assert time_ms(datetime(1970, 1, 2)) == time_ms(datetime(1970, 1, 2, 1, tzinfo=timezone(timedelta(hours=1)))) == 86_400_000
