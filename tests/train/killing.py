"""A run that is killed as it writes, again and again; started by test_resume in a process.

    python killing.py FOLDER KILLS

KILLS is a JSON list of pairs such as ["write", 30]. Each is a run of its own: a process that kills
itself, by SIGKILL, just before its 31st operation of that kind ("open", "write", "os.rename",
"os.remove") on a checkpoint's file, and another one that resumes it. Prints as JSON how many
operations of each kind an undisturbed run has, and the checksums of the final weights of all runs,
the undisturbed one's first.

Every run is forked from this process, which has imported all and computed nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import sklearn.metrics
import torch
from tests import tiny
from tests.file_operations import watch

import manyheads as mh
from manyheads.train import Learner

RECIPE = mh.Recipe(
    epochs=2,
    batch_size=8,
    learning_rate=3e-3,
    dropout=0.1,
    token_dropout=0.1,
    checkpoint_every=1,
    probe_examples=0,
)
DATA = tiny.moods(32, valid=tiny.columns(tiny.mood_rows(8, seed=5)))
# What is slow to import and imported late is imported here once, instead of in each run.
IMPORTED = (sklearn.metrics,)
OPERATIONS = {"open", "os.rename", "os.remove"}


def in_a_process(folder: Path, kill_before: tuple[str, int] | None = None, *, watched: bool) -> int:
    """Train in a forked process; return its exit status, negative for a signal."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    torch.set_num_threads(1)
    learner = Learner(tiny.SCRATCH, mh.Classification(), DATA, RECIPE, folder=folder, quiet=True)
    seen: Counter[str] = Counter()
    if watched:
        seen = watch(
            folder / "checkpoints",
            OPERATIONS,
            lambda seen, kind: (kind, seen[kind]) == kill_before,
        )
    learner.fit(resume=True)
    sys.setprofile(None)
    folder.with_suffix(".json").write_text(json.dumps(seen))
    learner.predictor().save(folder / "model")
    os._exit(0)


def weights(folder: Path) -> str:
    """The checksum of the final weights."""
    return hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def main(home: Path, kills: list[tuple[str, int]]) -> None:
    """Run all; see above."""
    assert in_a_process(home / "undisturbed", watched=True) == 0
    sums = [weights(home / "undisturbed")]
    for kind, number in kills:
        folder = home / f"{kind}-{number}"
        status = in_a_process(folder, (kind, number), watched=True)
        assert status == -signal.SIGKILL, (kind, number, status)
        assert not (folder / "model").exists()
        assert in_a_process(folder, watched=False) == 0, (kind, number)
        assert not list((folder / "checkpoints").glob(".*")), "half-written files are left"
        sums.append(weights(folder))
    print(json.dumps([json.loads((home / "undisturbed.json").read_text()), sums]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [(kind, number) for kind, number in json.loads(sys.argv[2])])
