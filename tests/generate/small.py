"""Small models that write, and logits by hand: what the tests of `generate` share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial

import torch
from torch import Tensor

from manyheads.core.spec import Spec
from manyheads.core.transformer import Transformer
from manyheads.families import FAMILIES, Config
from manyheads.generate import Finish, Request, Settings, Writer
from manyheads.generate.constraints import Rules
from manyheads.generate.offers import View, offers_of
from manyheads.generate.search import Path, Search, search_for

VOCABULARY = 14
END = 1
START = 0  # what a decoder that reads a source begins with
WORDS = range(2, VOCABULARY)

_LLAMA: Config = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "head_dim": 4,
}
_GPT2: Config = {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 64}
_T5: Config = {
    "d_model": 16,
    "d_kv": 4,
    "d_ff": 24,
    "num_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 12,
    "tie_word_embeddings": False,
}
_BART: Config = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 64,
}
CONFIGS: Mapping[str, Config] = {
    "gpt2": _GPT2 | {"tie_word_embeddings": False},
    "llama": _LLAMA,
    "mistral": _LLAMA | {"sliding_window": 3},
    "t5": _T5,
    "bart": _BART,
    "marian": _BART | {"scale_embedding": True},
}
DECODERS = ("gpt2", "llama", "mistral")
ENCODER_DECODERS = ("t5", "bart", "marian")


def spell(tokens: Sequence[int]) -> str:
    """One letter for each word, nothing for the others: 2 is a, 3 is b."""
    return "".join(chr(ord("a") + token - 2) for token in tokens if token in WORDS)


@cache
def writer(name: str, seed: int = 1) -> Writer:
    """A model whose every parameter is random and whose next token depends on all before it."""
    spec: Spec = FAMILIES[name].to_spec(CONFIGS[name] | {"vocab_size": VOCABULARY})
    torch.manual_seed(seed)
    transformer = Transformer(spec)
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter.add_((0.7 if parameter.dim() > 1 else 0.1) * torch.randn_like(parameter))
        if spec.output is not None and spec.output.tied:  # or else a token is followed by itself
            transformer.table.weight.mul_(0.6)
    return Writer(transformer.eval(), frozenset({END}), spell)


def request(
    writer: Writer, length: int, settings: Settings | None = None, seed: int = 0
) -> Request:
    """A request from `length` random words: a prompt, or the source of a model that reads one."""
    draw = torch.Generator().manual_seed(1000 * length + seed)
    words = torch.randint(2, VOCABULARY, (length,), generator=draw).tolist()
    settings = settings or Settings(max_tokens=12)
    return Request([START], words, settings) if writer.reads else Request(words, None, settings)


Table = Callable[[tuple[int, ...]], Tensor]  # from what was written to the next token's logits


def search_by(table: Table, settings: Settings, ends: Iterable[int] = (END,)) -> Search:
    """Search through logits made by hand, until the search is over."""
    rules = Rules(settings, frozenset(ends))
    ending = partial(_ending, rules.ends, settings.max_tokens)
    search = search_for(Path(), rules, ending)
    while search.live:
        logits_RV = torch.stack([table(path.tokens) for path in search.live])
        views = [View(rules, (), path.tokens) for path in search.live]
        parents = search.advance(offers_of(logits_RV, views))
        assert len(parents) == len(search.live)
    return search


def _ending(ends: frozenset[int], limit: int, tokens: Sequence[int]) -> Finish | None:
    if tokens[-1] in ends:
        return Finish.END
    return Finish.LENGTH if len(tokens) == limit else None
