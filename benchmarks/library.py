"""A library over descriptions of Debian packages: how long it takes to build, and to search.

    DEBIAN=folder:folder python benchmarks/library.py build
    DEBIAN=folder:folder python benchmarks/library.py search --half

The folders hold train, valid and test as .jsonl.gz with a column of texts. `build` compares with
what makes the same vectors and the same graph of neighbours and nothing else: no index of words, no
texts on disk; passages are cut beforehand for it. `search` says percentiles of searches, the
query's vector included, and of answers, over a library that it builds where there is none yet.
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

BUILT = 600  # documents
QUERIES = 200
ASKED = 60
PLACE = "DEBIAN"
REFERENCE = f"package:{MODEL}/model"


def descriptions() -> list[str]:
    """Return all distinct descriptions; ends the process where they are not there."""
    folders = [Path(one) for one in os.environ.get(PLACE, "").split(":") if one]
    if not folders or not all(folder.is_dir() for folder in folders):
        print(f"skipped: set {PLACE} to folders with train, valid and test .jsonl.gz")
        sys.exit()
    names = [f"{name}.jsonl.gz" for name in ("train", "valid", "test")]
    splits = [read_table(folder / name) for folder in folders for name in names]
    return list(dict.fromkeys(text for split in splits for text in split.columns["text"]))


def manyheads(half: bool = False) -> Work:
    import torch

    torch.set_num_threads(threads())
    embedder, texts = mh.load(REFERENCE), descriptions()[:BUILT]

    def work() -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            library = mh.Library.create(folder, embedder=embedder, half=half)
            library.update({"text": texts}, name="descriptions")
            return np.array([library.passages])

    return work


def manyheads_half() -> Work:
    return manyheads(half=True)


def sentence_transformers(half: bool = False) -> Work:
    import torch
    from sentence_transformers import SentenceTransformer
    from usearch.index import Index

    model = SentenceTransformer(str(in_package(MODEL, "model")), device="cpu")
    if half:
        model = model.to(torch.bfloat16)
    model.max_seq_length = MAX_TOKENS
    passages = passages_of(descriptions()[:BUILT])

    def work() -> np.ndarray:
        vectors_NE = model.encode(passages, batch_size=BATCH_TEXTS, normalize_embeddings=True)
        index = Index(ndim=vectors_NE.shape[1], metric="ip", expansion_add=128)
        index.add(np.arange(len(passages)), vectors_NE)
        with tempfile.TemporaryDirectory() as folder:
            index.save(Path(folder) / "index.usearch")
        return np.array([len(index)])

    return work


def sentence_transformers_half() -> Work:
    return sentence_transformers(half=True)


def passages_of(texts: Sequence[str]) -> list[str]:
    """Return the passages that a library cuts texts into."""
    core = mh.load(REFERENCE).tokenizer.core

    def count(texts: Sequence[str]) -> list[int]:
        return [len(core.encode(text, add_special_tokens=False).ids) for text in texts]

    cuts = mh.Passages().cut_all(texts, count)
    return [text[start:end] for text, own in zip(texts, cuts, strict=True) for start, end in own]


def search(folder: Path, documents: int, half: bool) -> None:
    """Print percentiles of searches and of answers over so many documents."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    texts = descriptions()[:documents]
    queries = [text.partition("\n")[0] for text in texts[:: max(1, len(texts) // QUERIES)]]
    start = time.perf_counter()
    if folder.exists():
        library = mh.Library.open(folder, half=half)
    else:
        library = mh.Library.create(folder, embedder=REFERENCE, half=half)
    library.update({"text": texts}, name="descriptions")
    print(f"{len(library):,} documents, {library.passages:,} passages, ready", end=" ")
    print(f"after {time.perf_counter() - start:.1f} s", flush=True)
    _report("vector of a query", queries, library.embedder)
    for mode in (mh.ByWords(), mh.ByMeaning(), mh.ByBoth()):
        _report(
            f"search, {mode}", queries, lambda query, mode=mode: library.search(query, mode=mode)
        )
    answerer = _answerer()
    _report("ask, 10 passages", queries[:ASKED], lambda query: library.ask(query, answerer))
    if half:
        halved = answerer.halved()
        _report("ask in half", queries[:ASKED], lambda query: library.ask(query, halved))


def _answerer() -> mh.Answerer:
    """Return a model of MiniLM's size; what it answers does not matter here."""
    rows = {"text": ["Who?", "What?"] * 4, "pair": ["It was Ada."] * 8, "label": ["Ada"] * 8}
    learner = mh.Learner(REFERENCE, mh.Answering(), mh.read(rows, pair="pair"), quiet=True)
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
        parser.add_argument("--library", type=Path, help="kept; one that is there is not built")
        parser.add_argument("--documents", type=int, default=60_000)
        parser.add_argument("--half", action="store_true", help="products in bfloat16")
        options = parser.parse_args()
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.library or Path(temporary) / "library"
            search(folder, options.documents, options.half)
    else:
        descriptions()
        engines = {
            "manyheads": manyheads,
            "manyheads, bfloat16": manyheads_half,
            "sentence-transformers": sentence_transformers,
            "sentence-transformers, bfloat16": sentence_transformers_half,
        }
        compare(engines, job="build")
