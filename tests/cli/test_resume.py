"""A run that is stopped at any moment and resumed ends with the bits of one that was not."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

POLL_SECONDS = 0.002


@pytest.fixture(scope="module")
def command(table, scratch):
    """A run of 40 updates with a checkpoint after each, and dropout that draws random numbers."""
    settings = ("epochs=5", "batch_size=8", "checkpoint_every=1", "token_dropout=0.1")
    assignments = [part for setting in settings for part in ("--set", setting)]
    return ("train", table, *scratch, "--valid", table, *assignments)


@pytest.fixture(scope="module")
def undisturbed(shell, command, tmp_path_factory):
    """The weights of a run that nobody disturbed, and the seconds that it took."""
    out = tmp_path_factory.mktemp("undisturbed") / "model"
    begun = time.perf_counter()
    done = shell(*command, "--out", out)
    assert done.returncode == 0, done.stderr
    return weights_of(out), time.perf_counter() - begun


def weights_of(out: Path) -> str:
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def checkpoints(out: Path) -> list[Path]:
    return sorted((out / "run" / "checkpoints").glob("step-*.safetensors"))


def newest_step(out: Path) -> int:
    return max((int(path.stem.removeprefix("step-")) for path in checkpoints(out)), default=0)


def stop_after(process, out, step, number):
    """Send a signal once the checkpoint of a step is there; return what was said on stderr."""
    while newest_step(out) < step and process.poll() is None:
        time.sleep(POLL_SECONDS)
    assert process.poll() is None, process.communicate()[1].decode()
    process.send_signal(number)
    return process.communicate()[1].decode()


def test_stopped_runs_end_with_the_same_bits(start, shell, command, undisturbed, tmp_path):
    out = tmp_path / "model"
    arguments = (*command, "--out", out)

    said = stop_after(process := start(*arguments), out, 4, signal.SIGINT)
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("manyheads: interrupted; ")
    assert "--resume" in said.splitlines()[-1]

    stop_after(process := start(*arguments, "--resume"), out, 15, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (out / "manyheads.json").exists()

    done = shell("predict", out, "a text")
    assert done.returncode == 2, "a run that is not over is no predictor"
    done = shell(*arguments, "--resume", "--set", "epochs=6")
    assert done.returncode == 2
    assert "epochs: 5.0 → 6.0" in done.stderr
    done = shell(*arguments, "--resume", "--seed", "1")
    assert done.returncode == 2
    assert "seed: 0 → 1" in done.stderr

    newest = checkpoints(out)[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    done = shell(*arguments, "--resume")
    assert done.returncode == 0, done.stderr
    assert f"{newest} is damaged" in done.stderr
    assert weights_of(out) == undisturbed[0]
    assert checkpoints(out) == []


def test_nothing_to_resume_and_nothing_left_to_do(shell, command, undisturbed, tmp_path):
    out = tmp_path / "model"
    first = shell(*command, "--out", out, "--resume", "--json")
    assert first.returncode == 0, first.stderr
    assert "no checkpoint to resume from" in first.stderr
    assert weights_of(out) == undisturbed[0]
    written = (out / "model.safetensors").stat().st_mtime_ns

    again = shell(*command, "--out", out, "--resume")
    assert again.returncode == 0
    assert "is finished" in again.stderr
    assert "accuracy" in again.stdout
    assert (out / "model.safetensors").stat().st_mtime_ns == written
    assert shell(*command, "--resume").returncode == 2, "without --out there is nothing to resume"


@pytest.mark.slow
def test_killed_at_any_moment(start, command, undisturbed, tmp_path):
    """Kill at random moments of a whole run, from the first import to the last file written."""
    expected, seconds = undisturbed
    draw = random.Random(0)
    kills = 0
    for number in range(8):
        out = tmp_path / f"model-{number}"
        while True:
            process = start(*command, "--out", out, "--resume")
            try:
                said = process.communicate(timeout=draw.uniform(0.2, 1.2) * seconds)[1]
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
        assert process.returncode == 0, said.decode()
        assert weights_of(out) == expected
        assert [path for path in out.rglob("*") if path.name.startswith(".")] == []
    assert kills >= 4, "too few kills to say anything"
