"""Updates by processes that are killed as they write; started by test_store.

    python killing.py FOLDER MODEL

An undisturbed update counts its operations on files. Then, for each of them, a process kills itself
by SIGKILL just before it. What is on disk then must be the library before or behind the update, and
another update must end with the one behind it. Prints as JSON how many operations there were of
each kind, and for each kill: which documents were there behind it, how many passages were embedded
anew, and whether all was there in the end and nothing else.

Every update is forked from this process, which has imported all.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

import torch
import usearch.index
from tests.file_operations import watch
from tests.library import shelf

import manyheads as mh

OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
IMPORTED = usearch.index  # what is imported late elsewhere
LATER = shelf.ROWS | {"text": [*shelf.ROWS["text"][:2], "他晚上喝红茶。她不喝茶。"]}
# What is killed loses nothing that the system has; flushing it hundreds of times takes long.
os.fsync = lambda _: None  # type: ignore[assignment]


def in_a_process(folder: Path, model: mh.Embedder, kill_before: int | None, log: Path) -> int:
    """Update in a forked process; return its exit status, negative for a signal."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    library = mh.Library.open(folder, embedder=model)
    seen = watch(folder, OPERATIONS, lambda seen, _: seen.total() == kill_before)
    done = library.update(LATER, id="id", title="title", name="rows")
    sys.setprofile(None)
    log.write_text(json.dumps([Counter(seen), done.embedded]))
    os._exit(0)


def tea(folder: Path) -> str:
    """Return what the library says of tea."""
    library = mh.Library.open(folder)
    assert len(library) == 3
    found = library.search("喝茶", mode=mh.ByWords())
    (text,) = {library.text(one) for one in found}
    return text


def main(home: Path, model: Path) -> None:
    """Run all; see above."""
    torch.set_num_threads(1)
    embedder = mh.load(model)
    before, log = home / "before", home / "log.json"
    library = mh.Library.create(before, embedder=embedder, passages=shelf.CUT)
    library.update(shelf.ROWS, id="id", title="title", name="rows")
    undisturbed = Path(shutil.copytree(before, home / "undisturbed"))
    assert in_a_process(undisturbed, embedder, None, log) == 0
    seen, _ = json.loads(log.read_text())
    names = sorted(path.name for path in undisturbed.iterdir())
    kills = []
    for number in range(sum(seen.values())):
        folder = Path(shutil.copytree(before, home / str(number)))
        assert in_a_process(folder, embedder, number, log) == -signal.SIGKILL, number
        between = tea(folder)
        assert between in (shelf.ROWS["text"][2], LATER["text"][2]), number
        assert in_a_process(folder, embedder, None, log) == 0, number
        left = sorted(path.name for path in folder.iterdir()) == names
        _, embedded = json.loads(log.read_text())
        kills.append(
            [between == LATER["text"][2], embedded, left and tea(folder) == LATER["text"][2]]
        )
    print(json.dumps([seen, kills]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
