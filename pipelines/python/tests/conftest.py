"""The conformance cases that `cargo run -p tripwasm-tests --example export_cases -- FOLDER` wrote."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

EXPORT = Path(os.environ.get("TRIPWASM_CASES", Path(__file__).parents[3] / "target" / "cases"))

HIT = b'{"eventName":"ListUsers","userIdentity":{"accessKeyId":"AKIA1"}}'
"""An event that one rule of the pack matches, and no correlation."""

if not (EXPORT / "cases.ndjson").is_file():
    raise pytest.UsageError(
        f"there are no cases in {EXPORT}: run `cargo xtask packages`, or name their folder in TRIPWASM_CASES"
    )


def cases() -> list[dict[str, Any]]:
    with open(EXPORT / "cases.ndjson", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def denied(number: int) -> bytes:
    """An event of a burst that opens alerts of the pack."""
    event = {
        "eventID": f"id-{number}",
        "eventTime": f"2024-01-01T00:{number:02}:00Z",
        "eventName": f"List{number}",
        "eventSource": "iam.amazonaws.com",
        "errorCode": "AccessDenied",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "client",
        "userIdentity": {"type": "IAMUser", "userName": "a", "arn": "arn:aws:iam::1:user/a"},
    }
    return json.dumps(event).encode() + b"\n"


def exported(name: str) -> bytes:
    return (EXPORT / name).read_bytes()


@pytest.fixture(scope="session")
def pack() -> bytes:
    return exported("pack.component.wasm")
