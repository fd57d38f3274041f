from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from manyheads.errors import CheckpointError, TrainingError
from manyheads.train.checkpoint import CheckpointStore, DamagedCheckpointWarning
from manyheads.train.state import TrainingState

MEGABYTE = 1 << 20


def state_at(step: int, size: int = 64) -> TrainingState:
    """Return a state whose every part tells the step that it belongs to."""
    return TrainingState(
        step,
        {
            "weights": torch.full((size,), float(step)),
            "half": torch.full((3, 5), float(step), dtype=torch.bfloat16),
            "bytes": torch.full((7,), step % 256, dtype=torch.uint8),
            "count": torch.tensor(step),
            "empty": torch.empty(0, 4),
            "flags": torch.tensor([True, False, step % 2 == 0]),
        },
        {"step": step, "text": '数 "crc32":"00000000"', "loss": float("inf")},
    )


def assert_equal(found: TrainingState | None, expected: TrainingState) -> None:
    assert found is not None
    assert found.step == expected.step
    assert found.facts == expected.facts
    assert found.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert found.tensors[name].dtype == tensor.dtype, name
        assert found.tensors[name].shape == tensor.shape, name
        assert torch.equal(found.tensors[name], tensor), name


def test_saved_is_read_back_exactly(tmp_path: Path):
    store = CheckpointStore(tmp_path / "new" / "folder")
    assert store.latest() is None
    store.save(state_at(7))
    assert_equal(store.latest(), state_at(7))


def test_any_safetensors_reader_opens_a_checkpoint(tmp_path: Path):
    path = CheckpointStore(tmp_path).save(state_at(7))
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["step"] == "7"
        assert json.loads(file.metadata()["facts"])["step"] == 7
        assert torch.equal(file.get_tensor("weights"), state_at(7).tensors["weights"])


def test_tensors_that_are_views_are_saved_as_they_look(tmp_path: Path):
    grid = torch.arange(12.0).reshape(3, 4)
    views = {"transposed": grid.T, "column": grid[:, 1], "expanded": torch.ones(1).expand(5)}
    store = CheckpointStore(tmp_path)
    store.save(TrainingState(1, views, {}))
    assert_equal(store.latest(), TrainingState(1, views, {}))


def test_only_the_newest_are_kept(tmp_path: Path):
    store = CheckpointStore(tmp_path, keep=2)
    for step in (1, 2, 10):
        store.save(state_at(step))
    assert [path.name for path in store.paths()] == [
        "step-0000000010.safetensors",
        "step-0000000002.safetensors",
    ]


def test_saving_the_same_step_again_replaces_it(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    store.save(state_at(5))
    again = TrainingState(5, {"weights": torch.zeros(2)}, {"again": True})
    store.save(again)
    assert_equal(store.latest(), again)
    assert len(store.paths()) == 1


def test_clear_begins_anew(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    store.clear()
    store.save(state_at(5))
    store.clear()
    assert store.latest() is None
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_writer_are_removed_and_never_read(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    store.save(state_at(1))
    (tmp_path / ".step-0000000002.safetensors.99.partial").write_bytes(b"half a checkpoint")
    assert_equal(store.latest(), state_at(1))
    store.save(state_at(2))
    assert not list(tmp_path.glob(".*"))


def damages() -> Iterator[tuple[str, object]]:
    for position in (0, 3, 20, 30, 60, 300, -1, -20, -200):
        yield f"flip a bit at {position}", position
    for share in (0.0, 0.001, 0.3, 0.99):
        yield f"cut to {share:.1%}", share


@pytest.mark.parametrize("damage", [d for _, d in damages()], ids=[n for n, _ in damages()])
def test_a_damaged_newest_gives_way_to_the_one_before(tmp_path: Path, damage: int | float):
    store = CheckpointStore(tmp_path)
    store.save(state_at(1))
    path = store.save(state_at(2))
    content = bytearray(path.read_bytes())
    if isinstance(damage, int):
        content[damage] ^= 0x10
    else:
        del content[int(len(content) * damage) :]
    path.write_bytes(content)
    with pytest.warns(DamagedCheckpointWarning, match=r"step-0000000002.*falling back"):
        assert_equal(store.latest(), state_at(1))


def test_every_byte_of_a_checkpoint_is_guarded(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    path = store.save(TrainingState(3, {"w": torch.arange(4.0)}, {"a": 1}))
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.warns(DamagedCheckpointWarning), pytest.raises(CheckpointError):
            store.latest()


def test_a_run_that_fell_back_replaces_the_damaged_future(tmp_path: Path):
    store = CheckpointStore(tmp_path, keep=2)
    store.save(state_at(10))
    store.save(state_at(20)).write_bytes(b"damaged")
    store.save(state_at(15))
    assert_equal(store.latest(), state_at(15))
    assert [path.name for path in store.paths()] == [
        "step-0000000015.safetensors",
        "step-0000000010.safetensors",
    ]


def test_all_damaged_is_an_error_and_not_a_silent_new_beginning(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    for step in (1, 2):
        store.save(state_at(step))
    for path in store.paths():
        path.write_bytes(b"")
    with pytest.warns(DamagedCheckpointWarning), pytest.raises(CheckpointError, match="every"):
        store.latest()


def _save_forever(folder: Path, acknowledgements: int) -> None:
    torch.set_num_threads(1)
    store = CheckpointStore(folder)
    latest = store.latest()
    step = latest.step if latest else 0
    while True:
        step += 1
        store.save(state_at(step, size=MEGABYTE // 4))
        os.write(acknowledgements, f"{step}\n".encode())


def test_kill_at_any_moment_never_loses_an_acknowledged_checkpoint(tmp_path: Path):
    dice = random.Random(20)
    fork = multiprocessing.get_context("fork")
    reached = 0
    for _ in range(15):
        reader, writer = os.pipe()
        process = fork.Process(target=_save_forever, args=(tmp_path, writer), daemon=True)
        process.start()
        os.close(writer)
        said = os.read(reader, 64)  # it is saving
        time.sleep(dice.uniform(0.0, 0.06))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        while more := os.read(reader, MEGABYTE):
            said += more
        os.close(reader)
        assert process.exitcode == -signal.SIGKILL
        acknowledged = int(said.split()[-1])
        assert acknowledged > reached
        with warnings.catch_warnings():
            warnings.simplefilter("error", DamagedCheckpointWarning)  # half a file never shows
            latest = CheckpointStore(tmp_path).latest()
        assert latest is not None
        # The one after the last acknowledged may have been complete already.
        assert latest.step in (acknowledged, acknowledged + 1)
        assert_equal(latest, state_at(latest.step, size=MEGABYTE // 4))
        reached = latest.step


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let this process write no file beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_beyond_the_quota_is_an_error_and_the_last_good_stays(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    store.save(state_at(1))
    with largest_file(MEGABYTE), pytest.raises(TrainingError, match="step-0000000001"):
        store.save(state_at(2, size=MEGABYTE))
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000001.safetensors"]
    assert_equal(store.latest(), state_at(1))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_an_error_that_says_what_is_needed(small_disk: Path):
    store = CheckpointStore(small_disk)
    store.save(state_at(1, size=MEGABYTE // 4))
    with pytest.raises(TrainingError) as caught:
        store.save(state_at(2, size=MEGABYTE))  # 4 MiB of float32
    message = str(caught.value)
    assert "step 2 needs 4,19" in message
    assert f"in {small_disk}, where 2," in message
    assert "the last good one, step-0000000001.safetensors, stays" in message
    assert "\n" not in message
    assert len(list(small_disk.iterdir())) == 1
    assert_equal(store.latest(), state_at(1, size=MEGABYTE // 4))
    store.save(state_at(3, size=MEGABYTE // 4))  # the run can go on where less is needed


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        CheckpointStore(tmp_path / "file").save(state_at(1))
