"""What a pass over events costs here, and in the project's own host, in one run.

python -m tripwasm.bench MODULE EVENTS...      the host is `tripwasm`, or the command in TRIPWASM
"""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .detector import Detector
from .lines import BATCH_BYTES, batches, count_lines
from .module import Module

REPEAT = 9


def main(arguments: list[str]) -> None:
    """Prints a line for each way to call a module."""
    if len(arguments) < 2:
        sys.exit("usage: python -m tripwasm.bench MODULE EVENTS...")
    file, *inputs = arguments
    events = b"".join(Path(name).read_bytes() for name in inputs)
    cut = [batch.data for batch in batches(events, BATCH_BYTES)]
    module = Module(file)
    print(f"{count_lines(events)} events, {len(events)} bytes; Python {platform.python_version()}")
    print(f"median of {REPEAT} passes, CPU time of the whole process")
    calls: dict[str, Callable[[Detector, bytes], object]] = {
        "evaluate": lambda detector, batch: detector.evaluate(batch),
        "findings": lambda detector, batch: detector.matches(detector.evaluate(batch)),
        "transform": lambda detector, batch: detector.transform(batch),
    }
    for name, call in calls.items():
        seconds = statistics.median(_pass(module, cut, call) for _ in range(REPEAT))
        print(f"Python, {name:<12} {count_lines(events) / seconds:.0f} events/s")
    for mode in ("findings", "tag"):
        command = [os.environ.get("TRIPWASM", "tripwasm"), "bench", file, *inputs, "--mode", mode, "--repeat", str(REPEAT)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(next(line for line in said.splitlines() if line.startswith("module,")))


def _pass(module: Module, cut: list[bytes], call: Callable[[Detector, bytes], object]) -> float:
    detector = Detector(module)
    begin = time.process_time()
    for batch in cut:
        call(detector, batch)
    detector.close()
    return time.process_time() - begin


if __name__ == "__main__":
    main(sys.argv[1:])
