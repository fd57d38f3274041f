"""A library over descriptions of Debian packages: how long it takes to build, and to search.

    DEBIAN_SECTIONS=folder python benchmarks/library.py build
    DEBIAN_SECTIONS=folder python benchmarks/library.py search --documents 5000

The folder holds train, valid and test as .jsonl.gz with a column of texts. `build` compares with
what makes the same vectors and the same graph of neighbours and nothing else: no index of words, no
texts on disk. `search` says percentiles of searches, the query's vector included, and of answers.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from encode import BATCH_TEXTS, MAX_TOKENS, MODEL, in_package
from harness import Work, compare, threads

import manyheads as mh
from manyheads.data import read_table

BUILT = 1000  # documents
LONGEST = 350  # characters of a document to be built: all of it is one passage
QUERIES = 200
ASKED = 20
PLACE = "DEBIAN_SECTIONS"
REFERENCE = f"package:{MODEL}/model"


def descriptions() -> list[str]:
    """Return all distinct descriptions; ends the process where they are not there."""
    folder = os.environ.get(PLACE)
    if folder is None or not Path(folder).is_dir():
        print(f"skipped: set {PLACE} to a folder with train, valid and test .jsonl.gz")
        sys.exit()
    splits = [read_table(Path(folder) / f"{name}.jsonl.gz") for name in ("train", "valid", "test")]
    return list(dict.fromkeys(text for split in splits for text in split.columns["text"]))


def short_descriptions() -> list[str]:
    """Return those that are built: short enough that nobody cuts them."""
    return [text for text in descriptions() if len(text) <= LONGEST][:BUILT]


def manyheads() -> Work:
    import torch

    torch.set_num_threads(threads())
    embedder, texts = mh.load(REFERENCE), short_descriptions()

    def work() -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            library = mh.Library.create(folder, embedder=embedder)
            library.update({"text": texts})
            return np.array([library.passages])

    return work


def sentence_transformers() -> Work:
    from sentence_transformers import SentenceTransformer
    from usearch.index import Index

    model = SentenceTransformer(str(in_package(MODEL, "model")), device="cpu")
    model.max_seq_length = MAX_TOKENS
    texts = short_descriptions()

    def work() -> np.ndarray:
        vectors_NE = model.encode(texts, batch_size=BATCH_TEXTS, normalize_embeddings=True)
        index = Index(ndim=vectors_NE.shape[1], metric="ip", expansion_add=128)
        index.add(np.arange(len(texts)), vectors_NE)
        with tempfile.TemporaryDirectory() as folder:
            index.save(Path(folder) / "index.usearch")
        return np.array([len(index)])

    return work


def search(documents: int, tokens: int) -> None:
    """Print percentiles of searches and of answers over so many documents."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    texts = descriptions()[:documents]
    queries = [text.partition("\n")[0] for text in texts[:: max(1, len(texts) // QUERIES)]]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        cut = mh.Passages(tokens=tokens, overlap=tokens // 4)
        library = mh.Library.create(folder, embedder=REFERENCE, passages=cut)
        library.update({"text": texts})
        seconds = time.perf_counter() - start
        print(f"{len(library):,} documents, {library.passages:,} passages in {seconds:.1f} s")
        start = time.perf_counter()
        changed = library.update({"text": [*texts[:-1], texts[-1] + " Changed."]})
        seconds = time.perf_counter() - start
        print(f"{changed.changed} document changed: {seconds:.2f} s")
        _report("vector of a query", queries, library.embedder)
        for mode in (mh.ByWords(), mh.ByMeaning(), mh.ByBoth()):
            _report(
                f"search, {mode}",
                queries,
                lambda query, mode=mode: library.search(query, mode=mode),
            )
        answerer = _answerer()
        _report("ask, 10 passages", queries[:ASKED], lambda query: library.ask(query, answerer))


def _answerer() -> mh.Answerer:
    """Return a model of MiniLM's size; what it answers does not matter here."""
    rows = {"text": ["Who?", "What?"] * 4, "pair": ["It was Ada."] * 8, "label": ["Ada"] * 8}
    learner = mh.Learner(REFERENCE, mh.Answering(), mh.read(rows, pair="pair"))
    return learner.predictor()


def _report(what: str, queries: Sequence[str], work: Callable[[str], object]) -> None:
    work(queries[0])
    seconds = []
    for query in queries:
        start = time.perf_counter()
        work(query)
        seconds.append(time.perf_counter() - start)
    half, most = np.percentile(np.array(seconds) * 1000, (50, 95))
    print(f"{what:40} p50 {half:8.2f} ms   p95 {most:8.2f} ms")


if __name__ == "__main__":
    if sys.argv[1:2] == ["search"]:
        parser = argparse.ArgumentParser()
        parser.add_argument("job")
        parser.add_argument("--documents", type=int, default=1_000_000)
        parser.add_argument("--tokens", type=int, default=128, help="of a passage")
        options = parser.parse_args()
        search(options.documents, options.tokens)
    else:
        descriptions()
        engines = {"manyheads": manyheads, "sentence-transformers": sentence_transformers}
        compare(engines, job="build")
