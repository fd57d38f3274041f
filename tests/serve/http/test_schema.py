"""Whatever the schema allows, and whatever it does not, never fails the service itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from .server import Server, serving

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


@pytest.mark.slow
@pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="schemathesis is not installed")
def test_no_request_is_answered_by_a_server_error(all_kinds: dict[str, Path]) -> None:
    with serving(*(f"{name}={folder}" for name, folder in all_kinds.items())) as server:
        _fuzz(server)


def _fuzz(server: Server) -> None:
    done = subprocess.run(
        (
            *(SCHEMATHESIS, "run", f"{server.url}/openapi.json", "--max-examples", "60"),
            *("--checks", "not_a_server_error", "--phases", "examples,fuzzing", "--seed", "1"),
        ),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    operations = sum(len(methods) for methods in paths.values())
    assert f"{operations} passed" in done.stdout  # all of them were reached
