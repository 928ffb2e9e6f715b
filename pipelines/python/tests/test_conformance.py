"""Every case of `tests/cases` gives what the component gives in the project's own host."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from conftest import cases, exported

from tripwasm import Alert, Detector, Module, Remark

Case = dict[str, Any]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_case(case: Case) -> None:
    for run in case["runs"]:
        _check_evaluate(case, run)
        for mode in ("tag", "filter", "drop"):
            _check_transform(case, run, mode)


def _check_evaluate(case: Case, run: dict[str, Any]) -> None:
    wanted = run["evaluate"]
    detector = _detector(case)
    lines: list[str] = []
    alerts: list[Alert] = []
    remarks: list[Remark] = []
    verdicts: list[list[Any]] = []
    for batch in _batches(case, run):
        report = detector.evaluate(batch)
        lines += map(_line, detector.matches(report, "case"))
        lines += [_line(detector.finding(alert), alert) for alert in report.alerts]
        alerts += report.alerts
        remarks += report.remarks
        verdicts += [[verdict.event, verdict.action] for verdict in report.verdicts]
    assert detector.snapshot() == exported(wanted["snapshot"])
    closed = detector.close()
    lines += [_line(detector.finding(alert), alert) for alert in closed]
    assert lines == exported(wanted["findings"]).decode().splitlines()
    assert [alert.opened_by for alert in alerts + closed] == wanted["opened_by"]
    assert [[remark.event, remark.reason] for remark in remarks] == wanted["remarks"]
    assert verdicts == wanted["verdicts"]
    rules = detector.statistics().counts.rules
    assert [{name: getattr(rule, name) for name in counts} for rule, counts in zip(rules, wanted["counts"], strict=True)] == (
        wanted["counts"]
    )
    assert detector.traps == 0


def _check_transform(case: Case, run: dict[str, Any], mode: Any) -> None:
    wanted = run[mode]
    detector = _detector(case)
    outputs = [detector.transform(batch, mode=mode) for batch in _batches(case, run)]
    alerts = [alert for output in outputs for alert in output.alerts] + detector.close()
    assert b"".join(output.events for output in outputs) == exported(wanted["events"])
    assert [_line(detector.finding(alert), alert) for alert in alerts] == exported(wanted["alerts"]).decode().splitlines()
    remarks = [[remark.event, remark.reason] for output in outputs for remark in output.remarks]
    assert remarks == wanted["remarks"]
    assert sum(output.tagged for output in outputs) == wanted["tagged"]
    assert sum(output.removed for output in outputs) == wanted["removed"]


def _line(finding: dict[str, Any], alert: Alert | None = None) -> str:
    line = json.dumps(finding, ensure_ascii=False, separators=(",", ":"))
    if alert is not None and alert.measured is not None:
        # The text keeps the digits that a binary number lacks.
        number = json.dumps(finding["measured"])
        line = line.replace(f'"measured":{number}', f'"measured":{alert.measured}')
    return line


def _batches(case: Case, run: dict[str, Any]) -> Iterator[bytes]:
    data, at = exported(case["input"]), 0
    for length in run["batches"]:
        yield data[at : at + length]
        at += length
    assert at == len(data)


def _detector(case: Case) -> Detector:
    # Compiling takes longest: every other file of cases runs as a core module.
    form = "component" if int(case["core"].split(".")[0]) % 2 else "core"
    options = case["options"]
    detector = Detector(
        _module(case[form]),
        lateness=timedelta(milliseconds=options["lateness_ms"]),
        duplicates=options["duplicates"],
        memory=options["state_bytes_max"],
        learn_from=options["learn_from"],
    )
    history = exported(case["history"])
    if history:
        detector.learn(history)
    return detector


@lru_cache(maxsize=2)
def _module(name: str) -> Module:
    return Module(exported(name))
