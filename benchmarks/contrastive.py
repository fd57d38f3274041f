"""One epoch of contrastive training of all-MiniLM-L6-v2 on CPU, in pairs a second.

Pairs are two sentences of the same drug review; 32 pairs a batch, at most 256 tokens, in-batch
negatives from texts to pairs at scale 20, AdamW with clipping, the model's own dropout, a linear
schedule from 2e-5. The opponent is the trainer of sentence-transformers with
MultipleNegativesRankingLoss. Both train in float32, and, where the processor multiplies bfloat16,
once more in that, which is what ours chooses by itself there. All first train for an epoch and then
search held-out pairs, so that speed is compared at equal quality; then epochs are timed.
"""

from __future__ import annotations

import random
from functools import partial
from statistics import median

import numpy as np
from encode import MODEL, drug_reviews, in_package, sentences_of
from harness import Work, compare, precisions, print_ratios, threads

PAIRS, HELD_OUT = 256, 256
BATCH = 32
MAX_TOKENS = 256
RATE = 2e-5
TARGET = 1.5  # times as fast as the opponent

Columns = dict[str, list[str]]


def pairs() -> tuple[Columns, Columns]:
    """Return the columns of pairs to train on and of held-out ones, always the same."""
    chance, halves = random.Random(0), []
    for sentences in map(sentences_of, drug_reviews()):
        if len(sentences) > 1:
            halves.append(chance.sample(sentences, 2))
    chosen = zip(*chance.sample(halves, PAIRS + HELD_OUT), strict=True)
    texts, others = map(list, chosen)
    return (
        {"text": texts[:PAIRS], "pair": others[:PAIRS]},
        {"text": texts[PAIRS:], "pair": others[PAIRS:]},
    )


def found(texts: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how well held-out texts find their pairs, of vectors (N, E) of both."""
    from manyheads.tasks import retrieval_scores

    scores = retrieval_scores(texts, others, [{row} for row in range(len(texts))])
    return np.array([scores.reciprocal_rank])


def manyheads(precision: str) -> Work:
    import torch

    import manyheads as mh

    torch.set_num_threads(threads())
    train, held_out = pairs()
    recipe = mh.Recipe(
        learning_rate=RATE,
        batch_size=BATCH,
        batch_tokens=None,
        max_tokens=MAX_TOKENS,
        precision=precision,
    )
    data = mh.read(train, text="text", pair="pair", valid=0)
    task = mh.Embedding(mh.InBatchNegatives(symmetric=False))
    learner = mh.Learner(f"package:{MODEL}/model", task, data, recipe, quiet=True)
    learner.fit(epochs=1)
    embedder = learner.predictor()
    quality = found(embedder(held_out["text"]), embedder(held_out["pair"]))

    def epoch() -> np.ndarray:
        learner.fit(epochs=1)
        return quality

    return epoch


def sentence_transformers(precision: str) -> Work:
    import torch
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    torch.set_num_threads(threads())
    train, held_out = pairs()
    model = SentenceTransformer(str(in_package(MODEL, "model")), device="cpu")
    model.max_seq_length = MAX_TOKENS
    dataset, loss = Dataset.from_dict(train), MultipleNegativesRankingLoss(model)
    arguments = SentenceTransformerTrainingArguments(
        output_dir="build/benchmarks/contrastive",
        num_train_epochs=1,
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        weight_decay=0.01,
        bf16=precision == "bfloat16",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )

    def fit() -> None:
        SentenceTransformerTrainer(model, arguments, train_dataset=dataset, loss=loss).train()

    fit()
    model.eval()
    quality = found(model.encode(held_out["text"]), model.encode(held_out["pair"]))

    def epoch() -> np.ndarray:
        fit()
        return quality

    return epoch


def main() -> None:
    """Compare the engines: pairs a second, and what they learnt before."""
    contestants = compare(
        {
            f"{name} {precision}": partial(engine, precision)
            for precision in precisions()
            for name, engine in (("manyheads", manyheads), ("s-t", sentence_transformers))
        }
    )
    for one in contestants:
        speed = PAIRS / median(one.seconds)
        print(f"{one.name:24}{speed:9.1f} pairs/s   MRR@10 of held-out pairs {one.result[0]:.4f}")
    print_ratios(contestants, TARGET)


if __name__ == "__main__":
    main()
