"""A library on disk is whole at every moment: processes are killed before each operation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests import tiny


def test_killed_before_every_operation_on_a_file(model: Path, tmp_path: Path) -> None:
    here = Path(__file__)
    tests = here.parents[2]
    path = os.pathsep.join([str(tests), tiny.ENVIRONMENT["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, here.with_name("killing.py"), tmp_path, model],
        env=tiny.ENVIRONMENT | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    seen, kills = json.loads(done.stdout)
    assert seen["open"] > 10 and seen["os.rename"] >= 2 and seen["os.mkdir"] >= 2
    assert all(whole for _, _, whole in kills)
    behind = [is_new for is_new, _, _ in kills]
    assert behind == sorted(behind) and True in behind and False in behind
    embedded = [count for _, count, _ in kills]
    # What was embedded before a kill is not embedded again.
    assert embedded[0] > 0 and embedded == sorted(embedded, reverse=True) and embedded[-1] == 0
    between = [count for is_new, count, _ in kills if not is_new]
    assert 0 in between
