"""Files that are no module of ours are refused with a reason; options with a mistake, too."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from conftest import exported

from tripwasm import Detector, LoadError, Module

COMPONENT = b"\0asm\x0d\0\x01\0"


@pytest.mark.parametrize(
    ("wasm", "says"),
    [
        (b"", "no WebAssembly"),
        (os.urandom(1000), "no WebAssembly"),
        (b"\0asm\x07\0\0\0", "unknown version"),
        (b"\0asm\x01\0\0\0", "none of tripwasm's"),
        (COMPONENT, "none of tripwasm's"),
        (COMPONENT + b"\x0a\x01\x01", "imports something"),
        (COMPONENT + b"\x01\xff\xff\xff\xff\xff\xff", "cut off or damaged"),
        (wasmtime.wat2wasm('(module (import "a" "b" (func)))'), "imports something"),
        (wasmtime.wat2wasm('(module (func (export "evaluate")))'), "none of tripwasm's"),
        (
            wasmtime.wat2wasm(
                '(module (memory (export "memory") 1) (func (export "tripwasm:detect/detector@0.1.0#evaluate")))'
            ),
            "another version of the contract",
        ),
    ],
)
def test_foreign_bytes_are_refused(wasm: bytes, says: str) -> None:
    with pytest.raises(LoadError, match=says):
        Module(bytes(wasm))


def test_files_are_named(tmp_path: Path, pack: bytes) -> None:
    with pytest.raises(LoadError, match=r"missing\.wasm: No such file"):
        Module(tmp_path / "missing.wasm")
    cut = tmp_path / "cut.wasm"
    cut.write_bytes(pack[: len(pack) // 2])
    with pytest.raises(LoadError, match=r"cut\.wasm: the file is cut off"):
        Module(cut)


@pytest.mark.skipif(sys.platform != "linux", reason="folders of a user are elsewhere")
def test_compiled_code_is_kept_where_it_is_asked_for(tmp_path: Path, pack: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for _ in range(2):
        assert len(Module(pack, cache=True).info.rules) == 10
    assert any(path.is_file() for path in tmp_path.rglob("*"))


def test_the_module_for_fluent_bit_is_told_apart() -> None:
    with pytest.raises(LoadError, match="Fluent Bit"):
        Module(exported("pack.fluent-bit.wasm"))


def test_a_damaged_module_is_refused(pack: bytes) -> None:
    damaged = bytearray(pack)
    middle = len(damaged) // 3
    damaged[middle : middle + 64] = b"\xff" * 64
    with pytest.raises(LoadError, match="no valid WebAssembly"):
        Module(damaged)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lateness": "20"}, "'20m'"),
        ({"duplicates": "twice"}, "'once' or 'count'"),
        ({"memory": "64 megs"}, "'64MiB'"),
    ],
)
def test_options_with_a_mistake_are_refused(pack: bytes, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Detector(pack, **options)


def test_a_mode_with_a_mistake_is_refused(pack: bytes) -> None:
    with pytest.raises(ValueError, match="'tag', 'filter' or 'drop'"):
        Detector(pack).transform(b"", mode="tagg")  # type: ignore[arg-type]
