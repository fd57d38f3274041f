"""Vectors of many texts in one file: each made once, whatever happens in between."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import tiny

from manyheads.bulk import Encoded, NpyFile, ParquetFile, encode, work_folder
from manyheads.errors import ConfigError, DataError, TextError

from .encoding import TEXTS, WIDTH, Counting, vectors

CUT = sum(len(text) >= 30 for text in TEXTS)


class Stop(Exception):  # noqa: N818
    """What ends a run in the middle."""


def stopping(after: int) -> Counting:
    """An encoder that ends the run at its call behind so many."""
    calls = iter(range(after))

    def watch(_: Sequence[str]) -> None:
        if next(calls, None) is None:
            raise Stop

    return Counting(watch)


def stopped(out: Path, after: int) -> Counting:
    """Begin the work, and stop it behind so many shards of 5 texts."""
    encoder = stopping(after)
    with pytest.raises(Stop):
        encode(TEXTS, encoder, NpyFile(out), shard_rows=5)
    assert not out.exists()
    return encoder


@pytest.mark.parametrize("shard_rows", [1, 5, 23, 100])
def test_an_array(tmp_path: Path, shard_rows: int) -> None:
    out = tmp_path / "vectors.npy"
    done: list[int] = []
    encoded = encode(TEXTS, Counting(), NpyFile(out), shard_rows=shard_rows, progress=done.append)
    assert encoded == Encoded(len(TEXTS), WIDTH, 0, CUT)
    found = np.load(out, mmap_mode="r")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, vectors(TEXTS))
    assert sum(done) == len(TEXTS)
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.npy"]


def test_a_table_keeps_its_columns(tmp_path: Path) -> None:
    out = tmp_path / "vectors.parquet"
    table = pa.table({"text": TEXTS, "id": range(len(TEXTS)), "tags": [["x", None]] * len(TEXTS)})
    encode(TEXTS, Counting(), ParquetFile(out, table), shard_rows=5)
    found = pq.read_table(out)
    assert found.drop_columns("vector") == table
    assert found.schema.field("vector").type == pa.list_(pa.float32())
    np.testing.assert_array_equal(np.array(found["vector"].to_pylist()), vectors(TEXTS))


def test_whoever_goes_on_makes_what_is_missing(tmp_path: Path) -> None:
    out = tmp_path / "vectors.npy"
    first = stopped(out, after=3)
    work = work_folder(out)
    (work / "shard-000001.safetensors").write_bytes(b"damaged")
    there: list[int] = []
    second = Counting()
    encoded = encode(TEXTS, second, NpyFile(out), shard_rows=5, resuming=there.append)
    assert encoded == Encoded(len(TEXTS), WIDTH, 10, CUT) and there == [10]
    assert first.asked == TEXTS[:15]
    assert second.asked == [TEXTS[0], *TEXTS[5:10], *TEXTS[15:]]  # the first: is it the same model?
    np.testing.assert_array_equal(np.load(out), vectors(TEXTS))
    assert not work.exists()


@pytest.mark.parametrize(
    ("texts", "encoder", "shard_rows", "said"),
    [
        ([*TEXTS[:-1], "another"], Counting(), 5, "texts: "),
        (TEXTS[:-1], Counting(), 5, "rows: 23 → 22"),
        (TEXTS, Counting(model="n"), 5, "model: 'm' → 'n'"),
        (TEXTS, Counting(), 6, "shard_rows: 5 → 6"),
    ],
)
def test_other_work_is_not_mixed_in(
    tmp_path: Path, texts: list[str], encoder: Counting, shard_rows: int, said: str
) -> None:
    out = tmp_path / "vectors.npy"
    stopped(out, after=2)
    with pytest.raises(ConfigError, match="begun differently") as raised:
        encode(texts, encoder, NpyFile(out), shard_rows=shard_rows)
    assert said in str(raised.value)
    assert "delete that folder to begin anew" in str(raised.value)
    assert str(work_folder(out)) in str(raised.value)
    assert encoder.asked == []
    encode(TEXTS, Counting(), NpyFile(out), shard_rows=5)
    np.testing.assert_array_equal(np.load(out), vectors(TEXTS))


def test_another_model_of_the_same_name_is_found_out(tmp_path: Path) -> None:
    class Replaced(Counting):
        def encode(self, texts, progress=lambda _: None):  # type: ignore[no-untyped-def]
            return 1.01 * vectors(texts), [0] * len(texts)

    class Nearly(Counting):
        def encode(self, texts, progress=lambda _: None):  # type: ignore[no-untyped-def]
            return vectors(texts) + np.float32(1e-6), [0] * len(texts)

    out = tmp_path / "vectors.npy"
    stopped(out, after=2)
    with pytest.raises(ConfigError, match="makes another vector of text 1"):
        encode(TEXTS, Replaced(), NpyFile(out), shard_rows=5)
    encode(TEXTS, Nearly(), NpyFile(out), shard_rows=5)


def test_a_model_that_is_exchanged_in_the_middle_is_found_out(tmp_path: Path) -> None:
    class Exchanged(Counting):
        def encode(self, texts, progress=lambda _: None):  # type: ignore[no-untyped-def]
            return vectors(texts)[:, : 6 - (TEXTS[7] in texts)], [0] * len(texts)

    out = tmp_path / "vectors.npy"
    with pytest.raises(ConfigError, match="vectors of 5 and 6 numbers"):
        encode(TEXTS, Exchanged(), NpyFile(out), shard_rows=5)
    assert not out.exists()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "vectors.npy"

    def again(_: Sequence[str]) -> None:
        with pytest.raises(ConfigError, match="another process is at work"):
            encode(TEXTS, Counting(), NpyFile(out), shard_rows=5)

    encode(TEXTS, Counting(again), NpyFile(out), shard_rows=5)
    np.testing.assert_array_equal(np.load(out), vectors(TEXTS))


def test_a_folder_with_something_else_in_it_stays(tmp_path: Path) -> None:
    out = tmp_path / "vectors.npy"
    work_folder(out).mkdir()
    (work_folder(out) / "notes.txt").write_text("mine")
    encode(TEXTS, Counting(), NpyFile(out), shard_rows=5)
    assert [path.name for path in work_folder(out).iterdir()] == ["notes.txt"]


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "vectors.npy"
    out.write_bytes(b"old")
    with pytest.raises(Stop):
        encode(TEXTS, stopping(2), NpyFile(out), shard_rows=5)
    assert out.read_bytes() == b"old"
    encode(TEXTS, Counting(), NpyFile(out), shard_rows=5)
    np.testing.assert_array_equal(np.load(out), vectors(TEXTS))


def test_texts_that_cannot_be_read(tmp_path: Path) -> None:
    def refuse(texts: Sequence[str]) -> None:
        if TEXTS[12] in texts:
            raise TextError("text 3 has no tokens; leave it out")

    out = NpyFile(tmp_path / "vectors.npy")
    with pytest.raises(DataError, match="no texts"):
        encode([], Counting(), out)
    with pytest.raises(TextError, match="text 2 holds a lone surrogate"):
        encode(["a", "\ud800"], Counting(), out)
    with pytest.raises(TextError, match="text 3"):
        encode(TEXTS, Counting(refuse), out)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TextError, match=r"^text 13 has no tokens"):
        encode(TEXTS, Counting(refuse), out, shard_rows=5)


def run(program: str, *arguments: object) -> str:
    """Return what a program beside this one prints, in a process of its own."""
    path = Path(__file__).with_name(program)
    known = f"{tiny.ENVIRONMENT['PYTHONPATH']}:{path.parents[2]}"
    done = subprocess.run(
        [sys.executable, str(path), *map(str, arguments)],
        env=tiny.ENVIRONMENT | {"PYTHONPATH": known},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("ending", [".npy", ".parquet"])
def test_memory_holds_a_shard_whatever_there_is_in_all(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"vectors{ending}"
    vectors, held = map(int, run("measuring.py", out, 40_000).split())
    assert vectors > 80_000_000
    assert held < vectors / 2


@pytest.mark.parametrize(("ending", "last"), [(".npy", 1000), (".parquet", 12)])
def test_killed_before_every_operation_on_a_file(tmp_path: Path, ending: str, last: int) -> None:
    """Whatever was killed, the file is the same; no text is asked for twice but those in work.

    The `last` operations are those of the output.
    """
    seen, kills = json.loads(run("killing.py", tmp_path, ending, last))
    assert seen["open"] >= 5 and seen["os.rename"] == 5 and seen["os.remove"] >= 4
    assert len(kills) == min(last, sum(seen.values()))
    assert all(same for *_, same in kills)
    shard, probe = 10, 1
    for there, before, asked, _ in kills:
        assert there or before <= len(TEXTS)
        if not there:
            assert asked <= len(TEXTS) + shard + probe
