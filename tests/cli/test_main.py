"""What all commands have in common: help at once, one line when wrong, quiet when nobody reads."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

import pytest

COMMANDS = (
    *("train", "evaluate", "predict", "check", "find-lr", "info", "version"),
    *("generate", "chat", "translate", "summarize", "score"),
)
SLOW = ("torch", "numpy", "pyarrow", "tokenizers", "pydantic", "sklearn", "matplotlib")
HELP_SECONDS = 0.5
SLOW_MACHINE = 2


def test_help_answers_at_once(cold_shell):
    """Measured as time on the processor, which does not depend on what else the machine does."""

    def spent() -> float:
        times = os.times()
        return times.children_user + times.children_system

    seconds = []
    for _ in range(5):
        before = spent()
        assert cold_shell("--help").returncode == 0
        seconds.append(spent() - before)
    assert 0 < statistics.median(seconds) < HELP_SECONDS * SLOW_MACHINE


def test_help_imports_nothing_slow():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "manyheads", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & set(SLOW)


def test_help_lists_every_command_with_examples(shell):
    for arguments in ((), ("--help",), ("-h",)):
        done = shell(*arguments)
        assert done.returncode == 0
        assert all(f"  {command} " in done.stdout for command in COMMANDS)
        assert "manyheads predict reviews-model" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(shell, command):
    done = shell(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout


def test_version(shell):
    from manyheads import __version__

    assert shell("version").stdout.strip() == __version__
    assert shell("--version").stdout.strip() == __version__
    facts = json.loads(shell("version", "--json").stdout)
    assert facts["manyheads"] == __version__
    assert facts["torch"].startswith("2.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("trian",), "Did you mean 'train'?"),
        (("check",), "Missing argument"),
        (("train",), "name DATA, or a run to repeat"),
        (("train", "x.csv", "--lables", "y"), "--label"),
        (("train", "x.csv", "--layers", "many"), "many"),
        (("train", "x.csv", "--task", "clasification"), "clasification"),
    ],
)
def test_a_wrong_command_line_is_one_line(shell, arguments, said):
    done = shell(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("manyheads: ")
    assert said in line


def test_a_reader_that_left_is_no_error(start):
    process = start("version")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() in (0, 1)
