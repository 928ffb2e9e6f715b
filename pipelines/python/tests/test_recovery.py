"""Traps, state, threads: a trap costs a batch its verdicts, never its events."""

import logging
import multiprocessing
import threading

import pytest
from conftest import HIT as EVENT
from conftest import denied, exported

import tripwasm.instance
from tripwasm import Detector, LostState, Module, StateError, TrappedError

HIT = EVENT + b"\n"


@pytest.fixture(scope="module")
def module(pack: bytes) -> Module:
    return Module(pack)


def test_a_module_over_its_memory_limit_traps_and_goes_on(module: Module, caplog: pytest.LogCaptureFixture) -> None:
    detector = Detector(module, memory_limit="16MiB")
    matches = len(detector.evaluate(HIT).matches)
    assert matches > 0
    too_much = HIT * ((32 << 20) // len(HIT))
    with pytest.raises(TrappedError, match="16 MiB"):
        detector.evaluate(too_much)
    assert len(detector.evaluate(HIT).matches) == matches
    assert detector.traps == 1
    assert sum(rule.matched for rule in detector.statistics().counts.rules) == 2 * matches, "counts outlive the instance"
    with caplog.at_level(logging.WARNING, "tripwasm"):
        assert b"".join(detector.tag(too_much, batch_bytes=len(too_much))) == too_much
    assert "passed through" in caplog.text
    assert detector.position == 2 + 2 * too_much.count(b"\n")


def test_batches_pass_through_a_module_that_traps() -> None:
    detector = Detector(exported("trap.core.wasm"))
    data = HIT * 1000
    assert b"".join(detector.tag(data, batch_bytes=10_000)) == data
    assert list(detector.findings(data)) == []
    assert detector.traps >= 2


def test_a_call_without_end_is_ended(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector(module)
    with monkeypatch.context() as patched:
        patched.setattr(tripwasm.instance, "CALL_FUEL_MAX", 100_000)
        with pytest.raises(TrappedError, match="fuel"):
            detector.evaluate(HIT * 100_000)
    assert detector.evaluate(HIT).matches


def test_places_outside_the_memory_are_not_read(module: Module) -> None:
    instance = module.start(1 << 30)
    for at, length in ((0xFFFF_FFF0, 8), (0, 1 << 32), (instance.memory_bytes - 1, 2)):
        with pytest.raises(tripwasm.ContractError, match="outside its memory"):
            instance.read(at, length)


def test_windows_go_on_from_a_snapshot_and_after_a_trap(module: Module) -> None:
    lines = [denied(number) for number in range(60)]
    whole = list(Detector(module).findings(lines, batch_bytes=1))
    assert any(finding["kind"] == "alert" for finding in whole)
    first = Detector(module)
    findings = list(first.findings(lines[:30], batch_bytes=1, keep_open=True))
    state = first.snapshot()
    second = Detector(module)
    assert second.restore(state) == []
    assert second.snapshot() == state
    rest = list(second.findings(lines[30:], batch_bytes=1))
    assert findings + rest == whole
    # After a trap, the next instance begins with the last snapshot.
    third = Detector(module, memory_limit="32MiB", memory="8MiB")
    third.restore(state)
    with pytest.raises(TrappedError):
        third.evaluate(HIT * ((64 << 20) // len(HIT)))
    third.position = 30
    assert list(third.findings(lines[30:], batch_bytes=1)) == rest


def test_state_that_is_not_ours_is_refused(module: Module) -> None:
    detector = Detector(module)
    detector.evaluate(denied(1))
    state = detector.snapshot()
    for damaged in (b"", b"x", state[:-1], state[:20] + b"\xff" + state[21:]):
        with pytest.raises(StateError, match=r"damaged|version|rules"):
            detector.restore(damaged)
    assert detector.snapshot() == state
    assert isinstance(detector.restore(state), list)
    assert LostState("rule", 1).groups == 1


def test_threads_share_a_detector_and_detectors_share_a_module(module: Module) -> None:
    shared = Detector(module)
    matched: list[int] = []

    def work() -> None:
        own = Detector(module)
        for _ in range(50):
            shared.evaluate(HIT * 10)
            own.evaluate(HIT * 10)
        matched.append(own.statistics().counts.events)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert matched == [500] * 4
    assert shared.statistics().counts.events == shared.position == 2000


def _matches_in_child(detector: Detector) -> int:
    return len(detector.evaluate(HIT * 10).matches)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
def test_a_forked_child_goes_on_with_what_was_loaded(module: Module) -> None:
    detector = Detector(module)
    detector.evaluate(HIT)
    context = multiprocessing.get_context("fork")
    found = context.Queue()
    child = context.Process(target=lambda: found.put(_matches_in_child(detector)))
    child.start()
    assert found.get(timeout=60) == 10
    child.join()
    assert len(detector.evaluate(HIT).matches) == 1
