"""README's example runs, and does what it says."""

import re
import subprocess
import sys
from pathlib import Path

from conftest import HIT, denied, exported

from tripwasm import Detector


def test_the_example_tags_events(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert found is not None
    events = b"".join(denied(number) + HIT + b"\n" for number in range(60))
    (tmp_path / "events.ndjson").write_bytes(events)
    (tmp_path / "cloudtrail.wasm").write_bytes(exported("pack.component.wasm"))
    run = subprocess.run([sys.executable, "-c", found[1]], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "open" in run.stdout
    assert run.stderr == "{}\n"
    expected = b"".join(Detector(exported("pack.core.wasm")).tag(events))
    assert (tmp_path / "tagged.ndjson").read_bytes() == expected
    assert expected.count(b'"tripwasm":[') == 120
