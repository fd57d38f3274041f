"""`manyheads encode`: real processes, killed and started again, here and against a service."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.cli.test_bad_input import assert_refused
from tests.serve import models
from tests.serve.http.server import serving

import manyheads as mh

TEXTS = [f"the food number {number} was {'very ' * (number % 7)}lovely" for number in range(400)]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory) -> Path:
    return models.embedder(tmp_path_factory.mktemp("encode") / "vectors-model")


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "texts.jsonl"
    rows = ({"id": number, "review": text} for number, text in enumerate(TEXTS))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def kill_after(shards: int, process, out: Path) -> None:
    """Kill a process once so many shards are there."""
    work = out.with_name(f"{out.name}.work")
    while len(list(work.glob("shard-*"))) < shards:
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert work.is_dir() and not out.exists()


def test_an_array_is_what_the_library_computes(shell, embedder, source, tmp_path):
    out = tmp_path / "vectors.npy"
    asked = ("encode", source, "--text", "review", "--model", embedder, "--out", out)
    done = shell(*asked, "--json")
    assert done.returncode == 0, done.stderr
    own = mh.load(embedder)
    expected = own.embed(TEXTS)
    cut = sum(lost > 0 for lost in expected.truncated)
    said = {"out": str(out), "rows": 400, "dimensions": own.dimensions, "resumed": 0}
    assert json.loads(done.stdout) == said | {"truncated": cut}
    assert f"{cut} of 400 texts were longer than the model reads" in done.stderr
    np.testing.assert_array_equal(np.load(out), expected.vectors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.jsonl", "vectors.npy"]

    done = shell(*asked, "--prompt", "query", "--dimensions", 3, "--batch-tokens", 300, "--quiet")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout == f"400 vectors of 3 numbers in {out}\n"
    expected = own(TEXTS, prompt="query", dimensions=3)
    np.testing.assert_allclose(np.load(out), expected, atol=1e-6)


def test_killed_and_started_again(shell, start, embedder, source, tmp_path):
    asked = ("encode", source, "--text", "review", "--model", embedder, "--shard-rows", 4)
    undisturbed, out = tmp_path / "undisturbed.npy", tmp_path / "vectors.npy"
    done = shell(*asked, "--out", undisturbed)
    assert done.returncode == 0, done.stderr

    kill_after(5, start(*asked, "--out", out), out)
    kill_after(20, start(*asked, "--out", out), out)
    done = shell(*asked, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    resumed = json.loads(done.stdout)["resumed"]
    assert 80 <= resumed < 400
    assert f"{resumed} of 400 vectors are there already" in done.stderr
    assert out.read_bytes() == undisturbed.read_bytes()
    assert not out.with_name("vectors.npy.work").exists()

    table = tmp_path / "vectors.parquet"
    kill_after(30, start(*asked, "--out", table), table)
    done = shell(*asked, "--out", table)
    assert done.returncode == 0, done.stderr
    found = pq.read_table(table)
    assert found.column_names == ["id", "review", "vector"]
    assert found["id"].to_pylist() == list(range(400)) and found["review"].to_pylist() == TEXTS
    vectors = np.array(found["vector"].to_pylist(), np.float32)
    np.testing.assert_array_equal(vectors, np.load(out))


def test_lines_of_a_text_file(shell, embedder, tmp_path):
    (tmp_path / "lines.txt").write_text("\n".join(models.TEXTS) + "\n", encoding="utf-8")
    out = tmp_path / "vectors.npy"
    asked = ("encode", tmp_path / "lines.txt", "--model", embedder, "--out", out)
    assert shell(*asked, "--truncate", "windows").returncode == 0
    own = mh.load(embedder)
    own.truncation = mh.Windows(own.truncation.max_tokens)
    np.testing.assert_array_equal(np.load(out), own(models.TEXTS))
    done = shell(*asked, "--truncate", "error")
    assert_refused(done, "text 8 has", "the model reads 24")


def test_other_work_is_refused(shell, start, embedder, source, tmp_path):
    out = tmp_path / "vectors.npy"
    asked = ("encode", source, "--text", "review", "--out", out, "--shard-rows", 4)
    kill_after(3, start(*asked, "--model", embedder), out)

    remedy = "delete that folder to begin anew"
    another = Path(shutil.copytree(embedder, tmp_path / "another"))
    lengths = another / "sentence_bert_config.json"
    lengths.write_text(lengths.read_text().replace("24", "23"))
    done = shell(*asked, "--model", another, "--prompt", "query")
    assert_refused(done, f"{out}.work", "model: ", "prompt: nothing → 'query'", remedy)
    lines = source.read_text().splitlines()
    source.write_text("\n".join([*lines[:-1], lines[-1].replace("food", "wine")]))
    assert_refused(shell(*asked, "--model", embedder), "texts: ", remedy)


def test_ctrl_c_says_how_to_go_on(start, embedder, source, tmp_path):
    out = tmp_path / "vectors.npy"
    process = start(
        *("encode", source, "--text", "review", "--model", embedder, "--out", out),
        *("--shard-rows", 1),
    )
    while not (tmp_path / "vectors.npy.work" / "shard-000002.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1].decode().splitlines()[-1]
    assert process.returncode == 130
    assert said.startswith("manyheads: interrupted; the same command goes on")


def test_a_service_makes_the_vectors(shell, start, embedder, source, tmp_path):
    keys, out = tmp_path / "keys", tmp_path / "vectors.npy"
    keys.write_text("a-key\n")
    options = ["--api-keys", str(keys)]
    asked = ("encode", source, "--text", "review", "--out", out, "--shard-rows", 16)
    with serving(f"minilm={embedder}", options=options) as server:
        assert_refused(shell(*asked, "--server", server.url), "no valid key")
        here = ("--server", server.url, "--api-key", "a-key")
        kill_after(5, start(*asked, *here), out)
        old = server.url
    # A service that was started again at another address is the same one, if its model is.
    with serving(f"minilm={embedder}", options=options) as server:
        assert server.url != old
        done = shell(*asked, "--server", server.url, "--api-key", "a-key", "--json")
        assert done.returncode == 0, done.stderr
        assert 80 <= json.loads(done.stdout)["resumed"] < 400
    np.testing.assert_allclose(np.load(out), mh.load(embedder)(TEXTS), atol=1e-5)


def test_what_cannot_be_encoded(shell, embedder, trained, source, write, tmp_path):
    asked = ("encode", source, "--text", "review")
    out = ("--out", tmp_path / "vectors.npy")
    assert_refused(shell(*asked, *out), "--model REF or --server URL")
    server = ("--server", "http://localhost:1", "--device", "cpu")
    assert_refused(shell(*asked, *server, *out), "--device cpu")
    assert_refused(shell(*asked, "--server", "localhost", *out), "http://HOST:PORT")
    assert_refused(shell(*asked, "--model", trained, *out), "makes no vectors")
    assert_refused(shell("encode", source, "--model", embedder, *out), "no column 'text'")
    elsewhere = ("--out", tmp_path / "vectors.csv")
    assert_refused(shell(*asked, "--model", embedder, *elsewhere), ".npy or .parquet")
    taken = write(tmp_path / "taken.csv", [("a", "b")], header=("text", "vector"))
    table = ("encode", taken, "--model", embedder, "--out", tmp_path / "vectors.parquet")
    assert_refused(shell(*table), "already has a column 'vector'")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken.csv", "texts.jsonl"]
