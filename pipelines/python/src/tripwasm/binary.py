"""Module files: finds the core module that runs, and refuses what is not ours."""

from collections.abc import Iterator

from .errors import LoadError

MAGIC = b"\0asm"
CORE = b"\x01\0\0\0"
COMPONENT = b"\x0d\0\x01\0"

# Sections of a component that matter here.
CORE_MODULE = 1
COMPONENT_IMPORTS = 10
# A core module's section of imports.
CORE_IMPORTS = 2

_BUILD = "build one: tripwasm build RULES -o FILE"


def core_module(wasm: bytes, name: str) -> bytes:
    """The core module of a file: a component of ours holds one, and `--target core` gives it as it is."""
    if not wasm.startswith(MAGIC):
        raise LoadError(f"{name}: this is no WebAssembly, {_BUILD}")
    version = wasm[4:8]
    if version == COMPONENT:
        sections = list(_sections(wasm, name))
        if any(kind == COMPONENT_IMPORTS and body[:1] != b"\0" for kind, body in sections):
            raise LoadError(f"{name}: the component imports something, a detection module imports nothing")
        cores = [body for kind, body in sections if kind == CORE_MODULE]
        if len(cores) != 1:
            raise LoadError(f"{name}: this component is none of tripwasm's, {_BUILD}")
        wasm = cores[0]
    elif version != CORE:
        raise LoadError(f"{name}: this WebAssembly has an unknown version, {_BUILD}")
    if any(kind == CORE_IMPORTS and body[:1] != b"\0" for kind, body in _sections(wasm, name)):
        raise LoadError(f"{name}: the module imports something, a detection module imports nothing")
    return wasm


def _sections(wasm: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    """Kind and body of each section."""
    at = 8
    while at < len(wasm):
        kind, at = wasm[at], at + 1
        length, at = _number(wasm, at, name)
        if at + length > len(wasm):
            raise _cut_off(name)
        yield kind, wasm[at : at + length]
        at += length


def _number(wasm: bytes, at: int, name: str) -> tuple[int, int]:
    """A number in LEB128 of at most 32 bits, and the place behind it."""
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(wasm):
            break
        byte, at = wasm[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _cut_off(name)


def _cut_off(name: str) -> LoadError:
    return LoadError(f"{name}: the file is cut off or damaged, {_BUILD}")
