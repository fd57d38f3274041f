"""Real `manyheads` processes, tiny tables and tiny models for them."""

from __future__ import annotations

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.cli.warm import Warm

import manyheads

SCRATCH = (
    *("--model", "scratch", "--layers", "1", "--width", "32", "--heads", "2"),
    *("--vocabulary", "300", "--set", "learning_rate=0.01"),
)

Rows = Iterable[Sequence[object]]
Shell = Callable[..., subprocess.CompletedProcess[str]]


def environment(*folders: Path) -> dict[str, str]:
    """One thread, no network, no terminal; modules in `folders` go before all others."""
    home = Path(manyheads.__file__).parent.parent
    path = os.pathsep.join(map(str, (*folders, home)))
    fixed = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "100"}
    return os.environ | fixed


@pytest.fixture(scope="session")
def shell() -> Iterator[Shell]:
    """Run `manyheads` with arguments in a process of its own."""
    with Warm(environment()) as warm:

        def run(
            *arguments: object,
            cwd: Path | None = None,
            stdin: bytes = b"",
            before: Sequence[Path] = (),
        ) -> subprocess.CompletedProcess[str]:
            if before:  # modules that are to be missing, or others, must not be there already
                return run_cold(*arguments, cwd=cwd, stdin=stdin, before=before)
            return warm.run(list(map(str, arguments)), cwd, stdin, environment())

        yield run


@pytest.fixture(scope="session")
def cold_shell() -> Shell:
    """Run `manyheads` with arguments in a process that has imported nothing before."""
    return run_cold


def run_cold(
    *arguments: object, cwd: Path | None = None, stdin: bytes = b"", before: Sequence[Path] = ()
) -> subprocess.CompletedProcess[str]:
    """Start `manyheads` with arguments, and with modules in the folders `before` all others."""
    done = subprocess.run(
        [sys.executable, "-m", "manyheads", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env=environment(*before),
        timeout=300,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def reviews(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts whose label one word of theirs tells."""
    draw = random.Random(seed)
    words = {"pos": ("great", "lovely", "happy"), "neg": ("awful", "poor", "sad")}
    others = ["the", "a", "it", "was", "film", "movie", "and", "then", "we", "saw", "some", "of"]
    rows = []
    for number in range(count):
        label = ("pos", "neg")[number % 2]
        text = [draw.choice(others) for _ in range(draw.randint(3, 12))]
        text.insert(draw.randrange(len(text)), draw.choice(words[label]))
        rows.append((" ".join(text), label))
    return rows


def write_csv(path: Path, rows: Rows, header: Sequence[str] = ("text", "label")) -> Path:
    """Write a table; return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[bytes]]:
    """Start `manyheads` in a process that the test stops; Ctrl-C reaches it, wherever tests run."""

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "manyheads", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    """The writer of tables."""
    return write_csv


@pytest.fixture(scope="session")
def scratch() -> tuple[str, ...]:
    """The options that train a tiny model of its own."""
    return SCRATCH


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 64 labelled texts."""
    return write_csv(tmp_path_factory.mktemp("table") / "reviews.csv", reviews(64))


@pytest.fixture(scope="session")
def trained(shell: Shell, table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small predictor, trained by the command line."""
    out = tmp_path_factory.mktemp("trained") / "model"
    done = shell("train", table, *SCRATCH, "--set", "epochs=6", "--out", out, "--quiet")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def tiny_bert(minilm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT folder as `transformers` writes it: random weights, the tokenizer of MiniLM."""
    from manyheads.hub import locate

    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert") / "tiny-bert"
    published = locate(minilm)
    config = transformers.BertConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    transformers.BertModel(config).save_pretrained(folder)
    for path in published.iterdir():
        if "token" in path.name or path.name == "vocab.txt":
            shutil.copy(path, folder / path.name)
    return folder
