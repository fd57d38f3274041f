"""Vectors that are made by processes that are killed as they write; started by test_encode.

    python killing.py FOLDER ENDING LAST

An undisturbed run counts its operations on files. Then, for each of the LAST ones, a process kills
itself by SIGKILL just before it, and another one goes on. Prints as JSON how many operations there
were of each kind, and for each kill: whether the file was there behind it, how many texts were
asked for before it and in all, and whether the file in the end is the undisturbed one.

Every run is forked from this process, which has imported all.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.bulk.encoding import TEXTS, Counting
from tests.file_operations import watch

from manyheads.bulk import NpyFile, ParquetFile, encode

SHARD_ROWS = 10
TABLE = pa.table({"text": TEXTS})
OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}
IMPORTED = (pq,)  # what is imported late elsewhere
# What is killed loses nothing that the system has; flushing it thousands of times takes minutes.
os.fsync = lambda _: None  # type: ignore[assignment]


def in_a_process(folder: Path, ending: str, kill_before: int | None, log: Path) -> int:
    """Make the vectors in a forked process; return its exit status, negative for a signal."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def note(texts: Any) -> None:
        with log.open("a") as file:
            file.write(f"{len(texts)}\n")

    folder.mkdir(exist_ok=True)
    out = folder / f"vectors{ending}"
    output = NpyFile(out) if ending == ".npy" else ParquetFile(out, TABLE)
    seen = watch(folder, OPERATIONS, lambda seen, _: seen.total() == kill_before)
    encode(TEXTS, Counting(note), output, shard_rows=SHARD_ROWS)
    sys.setprofile(None)
    log.with_suffix(".json").write_text(json.dumps(seen))
    os._exit(0)


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main(home: Path, ending: str, last: int) -> None:
    """Run all; see above."""
    log = home / "undisturbed.log"
    assert in_a_process(home / "undisturbed", ending, None, log) == 0
    seen = json.loads(log.with_suffix(".json").read_text())
    expected = checksum(home / "undisturbed" / f"vectors{ending}")
    kills = []
    total = sum(seen.values())
    for number in range(max(0, total - last), total):
        folder, log = home / str(number), home / f"{number}.log"
        out = folder / f"vectors{ending}"
        status = in_a_process(folder, ending, number, log)
        assert status == -signal.SIGKILL, (number, status)
        there = out.exists()
        assert not there or checksum(out) == expected, number
        log.touch()
        before = sum(map(int, log.read_text().split()))
        assert in_a_process(folder, ending, None, log) == 0, number
        asked = sum(map(int, log.read_text().split()))
        assert [path.name for path in folder.iterdir()] == [out.name], "something is left"
        kills.append([there, before, asked, checksum(out) == expected])
    print(json.dumps([seen, kills]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
