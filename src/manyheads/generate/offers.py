"""From a row of logits to the tokens that a search may go on with.

logits (R, V) ─ constraints ─→ forbidden ones at -∞ ─ strategy ─→ a few offers for each row
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from manyheads.errors import GenerationError
from manyheads.generate.constraints import Rules
from manyheads.generate.sampling import draw
from manyheads.generate.settings import Beam, Greedy, Sample, Strategy

_CHUNK = 128  # tokens whose best is looked at first
_CACHED = 8  # rows


class Offer(NamedTuple):
    """A token that may come next: how it ranks, and its log-probability under the model."""

    score: float
    token: int
    log_prob: float


Offers = list[Offer] | GenerationError  # what one sequence may go on with, or why it cannot


@dataclass(frozen=True)
class View:
    """What the choice of the next token needs to know of one sequence.

    `written` are the tokens of the output; `uniform` is the random number of a sample's step;
    `source` says whose sequence it is, for messages.
    """

    rules: Rules
    prompt: Sequence[int]
    written: Sequence[int]
    uniform: float = 0.0
    source: str = "the sequence"

    @property
    def tokens(self) -> list[int]:
        """The tokens of prompt and output."""
        return [*self.prompt, *self.written]

    @property
    def strategy(self) -> Strategy:
        """How the token is chosen."""
        return self.rules.settings.strategy


def offers_of(logits_RV: Tensor, views: Sequence[View]) -> list[Offers]:
    """Return what each sequence may go on with, best first; `logits_RV` is used up.

    One offer where the strategy settles the token, and for beams as many as the pool of all beams
    may need; none for a beam behind which every token is forbidden. Instead of offers there is an
    error, naming sequence and step, where logits are no numbers, or others than beams cannot go on;
    what the other sequences are offered does not depend on it.
    """
    # A few rows at a time stay in the processor's cache for all that a logarithm of sums takes.
    raw_R = torch.cat([part.logsumexp(dim=-1) for part in logits_RV.split(_CACHED)])
    wrong = (~raw_R.isfinite()).nonzero().flatten().tolist()
    logits_RV[wrong] = 0.0
    norm_R, penalised = _penalise(logits_RV, raw_R, views)
    _forbid(logits_RV, views)
    norms = list(zip(norm_R.tolist(), raw_R.tolist(), strict=True))
    offers: list[Offers] = [[] for _ in views]
    for strategy, rows in _by_strategy(views).items():
        part_RV = logits_RV if len(rows) == len(views) else logits_RV[rows]
        values, tokens = _chosen(part_RV, strategy, [views[row] for row in rows])
        for row, some, ids in zip(rows, values.tolist(), tokens.tolist(), strict=True):
            norm, raw = norms[row]
            offers[row] = [
                Offer(value - norm, token, penalised.get((row, token), value - raw))
                for value, token in zip(some, ids, strict=True)
                if value > -torch.inf
            ]
            if not offers[row] and not isinstance(strategy, Beam):  # others of its beams may live
                offers[row] = nothing_allowed(views[row].source, len(views[row].written))
    for row in wrong:
        offers[row] = _no_numbers(views[row].source, len(views[row].written))
    return offers


def nothing_allowed(source: str, written: int) -> GenerationError:
    """Return the error of a sequence that cannot go on."""
    return GenerationError(
        f"{source}, token {written + 1}: the constraints forbid every token; loosen vocabulary, "
        "banned or no_repeat_ngram"
    )


def _no_numbers(source: str, written: int) -> GenerationError:
    return GenerationError(
        f"{source}, token {written + 1}: the logits are not numbers (NaN or infinite); the weights "
        "are damaged, or 16 bits are too few for this model: try float32"
    )


def best(logits_RV: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the `count` largest values of each row and where they are, (R, count), largest first.

    Looks through chunks of a row by their best, which is read at memory's speed: the largest values
    lie in the chunks with the largest best.
    """
    vocabulary = logits_RV.shape[1]
    count = min(count, vocabulary)
    if count == 1:
        values, tokens = logits_RV.max(dim=-1, keepdim=True)
        return values, tokens
    whole = vocabulary - vocabulary % _CHUNK
    if whole // _CHUNK <= count:
        values, tokens = logits_RV.topk(count)
        return values, tokens
    chunks_RCK = logits_RV[:, :whole].unflatten(1, (-1, _CHUNK))
    chosen = chunks_RCK.amax(dim=-1).topk(count).indices
    inner = torch.arange(_CHUNK, device=logits_RV.device)
    places = (chosen[:, :, None] * _CHUNK + inner).flatten(1)
    rest = torch.arange(whole, vocabulary, device=logits_RV.device).expand(len(logits_RV), -1)
    places = torch.cat((places, rest), dim=1)
    values, at = logits_RV.gather(1, places).topk(count)
    return values, places.gather(1, at)


def _chosen(logits_RV: Tensor, strategy: Strategy, views: Sequence[View]) -> tuple[Tensor, Tensor]:
    """Return logits and tokens of each row's offers, (R, count)."""
    match strategy:
        case Greedy():
            return best(logits_RV, 1)
        case Sample():
            uniform_R = torch.tensor([view.uniform for view in views], device=logits_RV.device)
            tokens = draw(logits_RV, strategy, uniform_R)[:, None]
            return logits_RV.gather(1, tokens), tokens
        case Beam():
            values, tokens = best(logits_RV, pool_size(strategy, views[0].rules.ends))
            extra = [sorted(view.rules.offers(view.written)) for view in views]
            if any(extra):
                return _with(logits_RV, values, tokens, extra)
            return values, tokens


def pool_size(beam: Beam, ends: frozenset[int]) -> int:
    """Return how many continuations of all beams are looked at: enough for all to live on.

    At most one continuation of a beam for each token that ends is of no use to the next step; and
    an earlier group spoils at most its own choices for a later one.
    """
    spoilt = beam.beams if beam.groups > 1 else 0
    return max(2, 1 + len(ends)) * beam.beams + spoilt


def _with(
    logits_RV: Tensor, values: Tensor, tokens: Tensor, extra: Sequence[Sequence[int]]
) -> tuple[Tensor, Tensor]:
    """Add offers that are not among each row's best; a row with fewer of them repeats none."""
    longest = max(map(len, extra))
    more = torch.tensor(
        [[*row, *[0] * (longest - len(row))] for row in extra], device=logits_RV.device
    )
    new = logits_RV.gather(1, more)
    there = (more[:, :, None] == tokens[:, None, :]).any(dim=-1)
    sizes = torch.tensor([len(row) for row in extra], device=logits_RV.device)
    filler = torch.arange(longest, device=logits_RV.device) >= sizes[:, None]
    new = new.masked_fill(there | filler, -torch.inf)
    return torch.cat((values, new), dim=1), torch.cat((tokens, more), dim=1)


def _by_strategy(views: Sequence[View]) -> dict[Strategy, list[int]]:
    """Return the rows of each strategy: those are chosen for together."""
    rows: dict[Strategy, list[int]] = {}
    for row, view in enumerate(views):
        rows.setdefault(view.strategy, []).append(row)
    return rows


def _penalise(
    logits_RV: Tensor, raw_R: Tensor, views: Sequence[View]
) -> tuple[Tensor, dict[tuple[int, int], float]]:
    """Apply repetition penalties in place.

    Return the rows' new norms, (R), and the log-probabilities that were before, by row and token.
    """
    rows = [i for i, view in enumerate(views) if view.rules.settings.repetition_penalty != 1.0]
    if not rows:
        return raw_R, {}
    before: dict[tuple[int, int], float] = {}
    for row in rows:
        penalty = views[row].rules.settings.repetition_penalty
        there = torch.tensor(sorted(set(views[row].tokens)), device=logits_RV.device)
        logits = logits_RV[row, there]
        log_probs = (logits - raw_R[row]).tolist()
        before |= {(row, token): p for token, p in zip(there.tolist(), log_probs, strict=True)}
        logits_RV[row, there] = torch.where(logits > 0, logits / penalty, logits * penalty)
    norm_R = raw_R.clone()
    norm_R[rows] = logits_RV[rows].logsumexp(dim=-1)
    return norm_R, before


def _forbid(logits_RV: Tensor, views: Sequence[View]) -> None:
    """Set to -∞, in place, what may not come next."""
    at_rows: list[int] = []
    at_tokens: list[int] = []
    for row, view in enumerate(views):
        if view.rules.are_none:
            continue
        if (mask_V := view.rules.outside(logits_RV)) is not None:
            logits_RV[row].masked_fill_(mask_V, -torch.inf)
        banned = view.rules.banned(view.tokens, view.written)
        demanded = view.rules.demanded(view.written, banned)
        if demanded is not None:
            values = logits_RV[row, demanded]
            logits_RV[row] = -torch.inf
            logits_RV[row, demanded] = values
        else:
            at_rows += [row] * len(banned)
            at_tokens += banned
    if at_rows:
        logits_RV[torch.tensor(at_rows), torch.tensor(at_tokens)] = -torch.inf
