"""A module file, compiled for this machine."""

import os
from pathlib import Path

import wasmtime

from .binary import core_module
from .errors import LoadError
from .instance import DEFAULT_MEMORY_BYTES_MAX, FUNCTIONS, INTERFACE, Instance
from .records import ModuleInfo

Source = str | os.PathLike[str] | bytes | bytearray | memoryview
"""A file's name, or its bytes."""


class Module:
    """A module, compiled for this machine and described by itself. Threads may share it."""

    info: ModuleInfo
    """What the module says of itself: rules, fields, limits, options."""

    def __init__(self, source: Source, *, cache: bool = False) -> None:
        """Loads a component, or what `--target core` wrote.

        `cache` keeps compiled code in wasmtime's cache directory of this user: the next start is a third of a second shorter.
        """
        if isinstance(source, (str, os.PathLike)):
            name = os.fspath(source)
            try:
                wasm = Path(source).read_bytes()
            except OSError as error:
                raise LoadError(f"cannot read {name}: {error.strerror}") from error
        else:
            name, wasm = "module", bytes(source)
        core = core_module(wasm, name)
        config = wasmtime.Config()
        # Fuel ends a call that hangs. It needs no thread that ticks, so that a process may fork.
        config.consume_fuel = True
        if cache:
            config.cache = True
        self._engine = wasmtime.Engine(config)
        try:
            self._compiled = wasmtime.Module(self._engine, core)
        except wasmtime.WasmtimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise LoadError(f"{name}: this is no valid WebAssembly: {reason}") from error
        _check(self._compiled, name)
        try:
            self.info = self.start(DEFAULT_MEMORY_BYTES_MAX).describe()
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise LoadError(f"{name}: the module does not start: {error}") from error

    def start(self, memory_bytes_max: int) -> Instance:
        """A new instance that may take so much memory."""
        return Instance(self._engine, self._compiled, memory_bytes_max)


def _check(module: wasmtime.Module, name: str) -> None:
    """Names and parameters are what the contract's version promises; a core module tells no more."""
    exports = {export.name: export.type for export in module.exports}
    if f"{INTERFACE}#evaluate" not in exports:
        if "tripwasm_filter" in exports:
            raise LoadError(
                f"{name}: this module was built for Fluent Bit, which alone can run it; "
                "build the same rules without `--target fluent-bit`"
            )
        raise LoadError(f"{name}: this module is none of tripwasm's, build one: tripwasm build RULES -o FILE")
    wanted = {f"{INTERFACE}#{function}": parameters for function, parameters in FUNCTIONS.items()}
    wanted["cabi_realloc"] = "i32 i32 i32 i32"
    for function, parameters in wanted.items():
        kind = exports.get(function)
        found = " ".join(map(str, kind.params)) if isinstance(kind, wasmtime.FuncType) else None
        if found != parameters or not isinstance(exports.get("memory"), wasmtime.MemoryType):
            raise LoadError(
                f"{name}: the module was built for another version of the contract than {INTERFACE}; "
                "build its rules again, or install the package's version that goes with them"
            )
