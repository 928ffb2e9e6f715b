"""Inputs in any form and in odd pieces: nothing is lost, nothing is changed, nothing grows."""

import io
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import HIT

from tripwasm import Detector, Module
from tripwasm.lines import LINE_BYTES_MAX, batches

ODD = [
    HIT + b"\n",
    HIT + b"\r\n",
    b"\n",
    b" \r\n",
    b"not json\n",
    b"\xff\xfe\n",
    b'{"a":"\\u2028 \xe2\x80\xa8 \x0b"}\n',
    HIT + b"\r\n",
    b'{"eventName":\n',
    HIT,
]


@pytest.fixture(scope="module")
def module(pack: bytes) -> Module:
    return Module(pack)


def test_pieces_cut_anywhere_give_the_same(module: Module) -> None:
    data = b"".join(ODD * 20)
    whole = list(Detector(module).tag(data))
    findings = list(Detector(module).findings(data))
    assert b"".join(whole).count(b'"tripwasm":[') == len([f for f in findings if f["kind"] == "match"]) > 0
    chance = random.Random(1)
    for longest in (1, 3, 200):
        pieces = list(_cut(data, chance, longest))
        for batch_bytes in (1, 100, 1 << 20):
            assert list(Detector(module).tag(pieces, batch_bytes=batch_bytes)) == whole
            assert list(Detector(module).findings(pieces, batch_bytes=batch_bytes)) == findings


def test_lines_without_findings_are_the_input_and_ends_stay(module: Module) -> None:
    data = b"".join(ODD)
    tagged = list(Detector(module).tag(data))
    assert len(tagged) == len(ODD)
    for line, event in zip(ODD, tagged, strict=True):
        assert event == line or (b'"tripwasm":[' in event and event.endswith(line[len(HIT) - 1 :]))
        assert (b'"tripwasm":[' in event) == line.startswith(HIT)
    assert list(Detector(module).tag(data, mode="filter")) == [event for event in tagged if b'"tripwasm":[' in event]


def test_every_form_of_input_is_read(module: Module, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    events = [HIT, b'{"eventName":"Other"}', HIT]
    file.write_bytes(b"\n".join(events) + b"\n")
    expected = list(Detector(module).findings(file))
    assert [finding["event"] for finding in expected if finding["kind"] == "match"][-1] == 2
    texts = [event.decode() for event in events]
    with open(file, "rb") as opened:
        assert list(Detector(module).findings(opened)) == expected
    parsed: list[dict[str, Any]] = [json.loads(text) for text in texts]
    for source in (str(file), file.read_bytes(), texts, [text + "\n" for text in texts], parsed):
        assert list(Detector(module).findings(source)) == expected
    with open(file) as text_file, pytest.raises(TypeError, match="'rb'"):
        list(Detector(module).findings(text_file))
    with pytest.raises(TypeError, match="name of a file"):
        list(Detector(module).findings(HIT.decode()))
    with pytest.raises(TypeError, match="int"):
        list(Detector(module).findings([1]))  # type: ignore[arg-type]


def test_events_go_on_as_they_arrive(module: Module) -> None:
    seen: list[int] = []

    def source() -> Iterator[bytes]:
        for number in range(5):
            seen.append(number)
            yield HIT + b"\n"

    for number, event in enumerate(Detector(module).tag(source(), batch_bytes=1, live=True)):
        assert event.startswith(HIT[:-1])
        assert seen[-1] == number


def test_a_line_beyond_all_bounds_passes_in_pieces(module: Module) -> None:
    def source() -> Iterator[bytes]:
        yield HIT + b'\n{"a":"'
        for _ in range(3 * LINE_BYTES_MAX >> 20):
            yield b"x" * (1 << 20)
        yield b'"}\n' + HIT + b"\n"

    detector = Detector(module)
    pieces = list(detector.tag(source()))
    assert max(map(len, pieces)) <= LINE_BYTES_MAX + (1 << 20)
    assert pieces[0].count(b'"tripwasm":[') == pieces[-1].count(b'"tripwasm":[') == 1
    assert b"".join(pieces[1:-1]) == b"".join(source())[len(HIT) + 1 : -len(HIT) - 1]
    assert detector.statistics().remarks == {"too-large": 1}
    assert detector.position == 3
    # Nobody can tag it, so that filtering leaves it out.
    assert len(list(Detector(module).tag(source(), mode="filter"))) == 2


def test_an_unfinished_long_line_counts_once() -> None:
    cut = list(batches([b"x" * LINE_BYTES_MAX, b"yy"], 100))
    assert [(len(batch.data), batch.lines, batch.is_evaluated) for batch in cut] == [
        (LINE_BYTES_MAX, 0, False),
        (2, 0, False),
        (0, 1, False),
    ]


def test_hostile_lines_pass_and_are_counted(module: Module) -> None:
    chance = random.Random(2)
    lines = [bytes(chance.choices(b'{}[]":,\\ue0\x00\xff\xc3 a1-.tfn', k=chance.randrange(80))) for _ in range(2000)]
    lines += [b"[" * 100_000, b'{"a":' * 100_000, HIT + HIT, b'{"eventName":"Stop', b'{"tripwasm":1,' + HIT[1:]]
    lines = [line.replace(b"\n", b"") for line in lines]
    detector = Detector(module)
    tagged = list(detector.tag(b"\n".join(lines) + b"\n"))
    assert len(tagged) == len(lines)
    assert [event for event in tagged[:-1] if b'"tripwasm"' in event] == []
    assert tagged[:-1] == [line + b"\n" for line in lines[:-1]]
    assert b'"tripwasm_1":[' in tagged[-1]
    remarks = detector.statistics().remarks
    assert remarks["tagged-before"] == 1
    assert remarks["too-deep"] == 2
    assert sum(remarks.values()) >= 1000
    assert detector.traps == 0


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured otherwise")
def test_memory_stays_flat(module: Module) -> None:
    import resource

    detector = Detector(module)
    batch = b"".join(ODD[:-1]) * 50
    for _ in range(200):
        detector.transform(batch)
        detector.evaluate(batch)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2000):
        detector.transform(batch)
        detector.evaluate(batch)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10


def _cut(data: bytes, chance: random.Random, longest: int) -> Iterator[bytes]:
    stream = io.BytesIO(data)
    while piece := stream.read(chance.randint(1, longest)):
        yield piece


def test_batches_are_bytes_or_text(module: Module) -> None:
    for batch in (HIT, bytearray(HIT), memoryview(HIT), HIT.decode()):
        assert len(Detector(module).evaluate(batch).matches) == 1
    with pytest.raises(TypeError, match="not int"):
        Detector(module).evaluate(5)  # type: ignore[arg-type]
