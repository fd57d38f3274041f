"""Training from scratch, in real tokens a second: ours, a padded loop of torch, and Trainer.

    python benchmarks/train_text.py pairs       an encoder-decoder of 3 + 3 layers, feed-forward 512
    python benchmarks/train_text.py language    a decoder of 4 layers, at most 128 tokens

Width 256, 4 heads, a vocabulary of 6,000, float32 on CPU; made-up words whose lengths are mixed as
in real text. Ours trains as `manyheads train` does, in batches of 4,096 tokens. The opponents pad
batches of so many shuffled rows as their names say: a plain loop around `torch.nn`'s layers, and
`transformers.Trainer`, which begins with our very weights. All of them have the same AdamW, rates,
clipping and dropout, and start with as many epochs, after which held-out rows show what was learnt;
then epochs are timed. What counts are tokens of the data: padding is work, but no token.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from harness import Engine, Work, compare, threads
from padded import END, Padded, PaddedDecoder, PaddedTranslator, Row
from torch import Tensor, nn

import manyheads as mh
from manyheads.hub import Pretrained
from manyheads.hub.save import save_model
from manyheads.hub.scratch import Blueprint
from manyheads.tasks import Task

BUILD = Path(__file__).parent.parent / "build" / "benchmarks"
TARGET = 1.8  # times as fast as each opponent
VOCABULARY, FIRST = 6_000, 3  # the id of the first word; as our tokenizers give them
WORDS = VOCABULARY - FIRST
ROWS, HELD_OUT, EPOCHS = 1_200, 100, 2
WIDTH, HEADS, FEEDFORWARD, MAX_TOKENS = 256, 4, 512, 128
GATED = 704  # the feed-forward width of Llama at this size, and of ours; it has three matrices
BATCH_TOKENS = 4_096
RATE, WARMUP, DECAY, CLIP = 1e-3, 0.1, 0.01, 1.0
DROPOUT = 0.1  # of pairs; Llama has none where ours does, so that `language` goes without

Fit = Callable[[int], object]


def pairs() -> list[Row]:
    """Return sources of 4 to 60 words, and each in a cipher that drops and doubles some."""
    chance = random.Random(0)
    cipher = chance.sample(range(WORDS), WORDS)
    rows: list[Row] = []
    for source in _texts(chance, middle=14, spread=0.5, least=4, most=60):
        target = [cipher[word] for word in source for _ in range(chance.choice((0, 1, 1, 1, 2)))]
        rows.append((_ids(source), _ids(target[:60] or source[:1])))
    return rows


def texts() -> list[Row]:
    """Return texts of 8 to 126 words."""
    return [(_ids(text),) for text in _texts(random.Random(0), 40, 0.6, 8, MAX_TOKENS - 2)]


def _texts(
    chance: random.Random, middle: int, spread: float, least: int, most: int
) -> Iterator[list[int]]:
    """Yield texts of log-normal lengths: words by Zipf's law, half of them due to the one before.

    The held-out ones come last.
    """
    weights = list(accumulate(1 / (rank + 1) for rank in range(WORDS)))
    for _ in range(ROWS + HELD_OUT):
        length = round(middle * chance.lognormvariate(0, spread))
        text = chance.choices(range(WORDS), cum_weights=weights, k=min(max(length, least), most))
        for place in range(1, len(text)):
            if chance.random() < 0.5:
                text[place] = (7 * text[place - 1] + 1) % WORDS
        yield text


def _ids(words: list[int]) -> list[int]:
    return [FIRST + word for word in words] + [END]


def _table(rows: list[Row]) -> dict[str, list[str]]:
    """Return the texts of each side, under the name of its column."""
    sides = zip(*rows, strict=True)
    return {
        name: [_spelt(ids) for ids in side]
        for name, side in zip(("text", "target"), sides, strict=False)
    }


def _spelt(ids: list[int]) -> str:
    """Return the words, such that a tokenizer that sorts them gives them these ids."""
    return " ".join(f"w{number - FIRST:04}" for number in ids[:-1])


@dataclass(frozen=True)
class Job:
    """What is to be learnt, and how each engine builds its model for it."""

    rows: Callable[[], list[Row]]
    target: str | None  # the column of targets, where there are sources too
    blueprint: Blueprint
    task: Task[Any]
    padded: Callable[[], Padded]
    batches: tuple[int, ...]  # rows in a batch of the opponents

    def pretrained(self) -> Pretrained:
        """Return our model with fresh weights and a tokenizer that knows every word."""
        every = _spelt([FIRST + word for word in range(WORDS)] + [END])
        return self.blueprint.build_for({"text": [every]})

    def engines(self) -> dict[str, Engine]:
        """Return the engines, ours first."""
        return (
            {"manyheads": partial(manyheads, self)}
            | {f"torch, {size}": partial(torch_loop, self, size) for size in self.batches}
            | {f"Trainer, {size}": partial(trainer, self, size) for size in self.batches}
        )


def manyheads(job: Job) -> Work:
    torch.set_num_threads(threads())
    train, test = (_table(rows) for rows in _split(job.rows()))
    recipe = mh.Recipe(
        learning_rate=RATE,
        warmup=WARMUP,
        weight_decay=DECAY,
        clip_norm=CLIP,
        batch_size=None,
        batch_tokens=BATCH_TOKENS,
        max_tokens=MAX_TOKENS,
        precision="float32",
    )
    data = mh.read(train, text="text", target=job.target, valid=0, test=test)
    learner = mh.Learner(job.pretrained(), job.task, data, recipe, quiet=True)
    tokens = learner.fit(EPOCHS).tokens // EPOCHS
    loss = learner.evaluate("test", baseline=False).loss
    return _epochs(learner.fit, tokens, loss)


def torch_loop(job: Job, size: int) -> Work:
    torch.set_num_threads(threads())
    torch.manual_seed(0)
    model = job.padded()
    train, test = _split(job.rows())

    def fit(epochs: int) -> None:
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY)
        updates = epochs * -(-len(train) // size)
        rates = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate, updates))
        for _ in range(epochs):
            for rows in torch.randperm(len(train)).split(size):
                loss = model.loss([train[row] for row in rows])
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), CLIP)
                optimizer.step()
                rates.step()

    fit(EPOCHS)
    return _epochs(fit, _tokens(train), _held_out(model, model.loss, test))


def trainer(job: Job, size: int) -> Work:
    import transformers

    torch.set_num_threads(threads())
    pretrained = job.pretrained()
    name = "LlamaForCausalLM" if job.target is None else "PegasusForConditionalGeneration"
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), pretrained)
        model = getattr(transformers, name).from_pretrained(folder)
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_file=f"{folder}/tokenizer.json", pad_token="<pad>", eos_token="</s>"
        )
    if job.target is None:
        collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False)
    else:
        collate = transformers.DataCollatorForSeq2Seq(tokenizer, model)
    train, test = _split(job.rows())

    def example(row: Row) -> dict[str, list[int]]:
        if job.target is None:
            row = ([END, *row[0]],)  # what foretells the first word
        sides = dict(zip(("input_ids", "labels"), row, strict=False))
        return sides | {"attention_mask": [1] * len(row[0])}

    examples: Any = [example(row) for row in train]

    def fit(epochs: int) -> None:
        arguments = transformers.TrainingArguments(
            output_dir=str(BUILD / "trainer"),
            num_train_epochs=epochs,
            per_device_train_batch_size=size,
            learning_rate=RATE,
            warmup_steps=WARMUP,
            weight_decay=DECAY,
            max_grad_norm=CLIP,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        )
        transformers.Trainer(model, arguments, collate, train_dataset=examples).train()

    def loss(rows: list[Row]) -> Tensor:
        return model(**collate([example(row) for row in rows])).loss

    fit(EPOCHS)
    return _epochs(fit, _tokens(train), _held_out(model, loss, test))


def _rate(updates: int, update: int) -> float:
    """Return the share of the highest rate: up over the warm-up, then down to nothing."""
    warmup = WARMUP * updates
    return min(update / warmup, (updates - update) / (updates - warmup))


def _split(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    return rows[:ROWS], rows[ROWS:]


def _tokens(rows: list[Row]) -> int:
    return sum(len(side) for row in rows for side in row)


@torch.inference_mode()
def _held_out(model: nn.Module, loss: Callable[[list[Row]], Tensor], rows: list[Row]) -> float:
    """Return the mean loss of the tokens to foretell, a few rows at a time."""
    model.eval()
    batches = [rows[start : start + 32] for start in range(0, len(rows), 32)]
    weights = [sum(len(row[-1]) for row in batch) for batch in batches]
    return float(np.average([float(loss(batch)) for batch in batches], weights=weights))


def _epochs(fit: Fit, tokens: int, loss: float) -> Work:
    """Return the work to time: an epoch, beside what was found out before."""

    def epoch() -> np.ndarray:
        fit(1)
        return np.array([tokens, loss])

    return epoch


JOBS = {
    "pairs": Job(
        pairs,
        "target",
        mh.ScratchSeq2Seq(
            3, None, WIDTH, HEADS, FEEDFORWARD, MAX_TOKENS, DROPOUT, tokenizer=mh.Words()
        ),
        mh.TextToText(label_smoothing=0.0, search=None),
        partial(PaddedTranslator, VOCABULARY, WIDTH, HEADS, 3, FEEDFORWARD, MAX_TOKENS, DROPOUT),
        batches=(64, 128),  # 128 pairs have about as many tokens as a batch of ours
    ),
    "language": Job(
        texts,
        None,
        mh.ScratchDecoder(4, WIDTH, HEADS, GATED, MAX_TOKENS, dropout=0.0, tokenizer=mh.Words()),
        mh.LanguageModel(),
        partial(PaddedDecoder, VOCABULARY, WIDTH, HEADS, 4, GATED * 3 // 2, MAX_TOKENS),
        batches=(64,),
    ),
}


def main(name: str) -> None:
    """Compare the engines of a job: tokens a second, and what they learnt on the way."""
    ours, *others = found = compare(JOBS[name].engines(), name)
    for one in found:
        tokens, loss = one.result
        speed = tokens / median(one.seconds)
        print(f"{one.name:24}{speed:9.0f} tokens/s   loss after {EPOCHS} epochs {loss:.3f}")
    for one in others:
        ratio = one.times(ours)
        verdict = "reached" if ratio >= TARGET else "missed"
        print(f"{ratio:.2f}× {one.name}: meant to reach {TARGET}×, {verdict}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in JOBS:
        raise SystemExit(f"python {Path(sys.argv[0]).name} {' | '.join(JOBS)}")
    main(sys.argv[1])
