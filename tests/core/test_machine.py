from __future__ import annotations

import os
from pathlib import Path

import pytest

from manyheads.core import machine


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A container that may have 1,000,000 bytes and has 400,000, of them 100,000 of files."""
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    (tmp_path / "memory.stat").write_text("anon 300000\ninactive_file 100000\n")
    groups = ((tmp_path / "memory.max", tmp_path / "memory.current"),)
    monkeypatch.setattr(machine, "_GROUPS", groups)
    return tmp_path


def test_what_a_container_leaves_is_what_there_is(group: Path):
    assert machine.available() == 700_000


def test_a_container_without_a_limit_leaves_what_the_machine_has(group: Path):
    (group / "memory.max").write_text("max\n")
    free = machine.available()
    assert free is None or free > 1_000_000


def test_a_process_holds_something():
    held = machine.resident()
    assert held is None or 1_000_000 < held < 1 << 40
    assert machine.resident(os.getpid()) == pytest.approx(held, rel=0.2)
    assert machine.resident(2**30) is None
