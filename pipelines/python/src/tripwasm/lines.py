"""Input cut into batches of whole lines."""

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

LINE_BYTES_MAX = 16 << 20
"""A longer line is never handed to the module: it passes through in pieces, so that memory stays bounded. Four times what
the module itself evaluates."""

BATCH_BYTES = 256 << 10
"""Bytes that are gathered before the module is called."""

_PIECE_BYTES = 1 << 20

Events = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | Iterable[bytes]
    | Iterable[str]
    | Iterable[Mapping[str, Any]]
)
"""Where events come from: the name of a file, bytes, a file opened as binary, or an iterable. In an iterable, `bytes` are
pieces of one stream, cut anywhere; a `str` is a line, with or without its line break; a mapping is an event."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole lines for the module, or a piece of a line that is too long for it."""

    data: bytes
    lines: int
    """How many lines end here; the last line of an input may lack its line break."""
    is_evaluated: bool


def batches(source: Events, batch_bytes: int) -> Iterator[Batch]:
    """The lines of an input; nothing is changed, and nothing is kept beyond a batch and a line."""
    cutter = _Cutter(batch_bytes)
    for piece in _pieces(source, batch_bytes):
        yield from cutter.push(piece)
    yield from cutter.finish()


def count_lines(data: bytes) -> int:
    """Lines that begin in some whole lines."""
    return data.count(b"\n") + (not data.endswith(b"\n") and data != b"")


class _Cutter:
    def __init__(self, batch_bytes: int) -> None:
        self._batch_bytes = batch_bytes
        # Whole lines, and what has arrived of the next one.
        self._lines: list[bytes] = []
        self._rest: list[bytes] = []
        self._line_bytes = 0
        self._rest_bytes = 0
        self._in_long_line = False

    def push(self, piece: bytes) -> Iterator[Batch]:
        if self._in_long_line:
            end = piece.find(b"\n") + 1
            self._in_long_line = end == 0
            if self._in_long_line:
                yield Batch(piece, 0, False)
                return
            yield Batch(piece[:end], 1, False)
            piece = piece[end:]
        cut = piece.rfind(b"\n") + 1
        if cut:
            self._lines += [*self._rest, piece[:cut]]
            self._line_bytes += self._rest_bytes + cut
            self._rest, self._rest_bytes, piece = [], 0, piece[cut:]
        if piece:
            self._rest.append(piece)
            self._rest_bytes += len(piece)
        is_long = self._rest_bytes >= LINE_BYTES_MAX
        if self._lines and (self._line_bytes >= self._batch_bytes or is_long):
            yield self._batch(self._lines)
            self._lines, self._line_bytes = [], 0
        if is_long:
            self._in_long_line = True
            yield Batch(b"".join(self._rest), 0, False)
            self._rest, self._rest_bytes = [], 0

    def finish(self) -> Iterator[Batch]:
        if self._in_long_line:
            yield Batch(b"", 1, False)
        elif self._lines or self._rest:
            yield self._batch([*self._lines, *self._rest])

    @staticmethod
    def _batch(parts: list[bytes]) -> Batch:
        data = b"".join(parts)
        return Batch(data, count_lines(data), True)


def _pieces(source: Events, batch_bytes: int) -> Iterator[bytes]:
    if isinstance(source, str) and source.lstrip().startswith("{"):
        raise TypeError("a str is the name of a file: give events as bytes, or as a list of str")
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield from _read(file, batch_bytes)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield from _cut(bytes(source))
    elif isinstance(source, io.TextIOBase):
        raise TypeError("the file was opened as text, which loses bytes: open it with mode 'rb'")
    elif hasattr(source, "read"):
        yield from _read(source, batch_bytes)
    else:
        for item in source:
            yield from _cut(_bytes(item))


def _read(file: Any, batch_bytes: int) -> Iterator[bytes]:
    # `read1` gives what a pipe holds; `read` would wait until it holds more.
    read = getattr(file, "read1", file.read)
    length = min(max(batch_bytes, 64 << 10), _PIECE_BYTES)
    while True:
        piece: bytes = read(length)
        if not piece:
            return
        yield piece


def _cut(data: bytes) -> Iterator[bytes]:
    if len(data) <= _PIECE_BYTES:
        yield data
        return
    for begin in range(0, len(data), _PIECE_BYTES):
        yield data[begin : begin + _PIECE_BYTES]


def _bytes(item: bytes | str | Mapping[str, Any]) -> bytes:
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    if isinstance(item, Mapping):
        return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    if isinstance(item, str):
        # What was read with `surrogateescape` goes back to the bytes it came from.
        line = item.encode("utf-8", "surrogateescape")
        return line if line.endswith(b"\n") else line + b"\n"
    raise TypeError(f"an event is bytes, str or a mapping, not {type(item).__name__}")
