"""Whether an output keeps to the settings of its request, said apart from how that is done."""

from __future__ import annotations

from collections.abc import Sequence

from tests.generate.small import END, spell

from manyheads.generate import Beam, Finish, Hypothesis, Output, Request


def check(output: Output, request: Request) -> None:
    """Hold every hypothesis of an output to what was asked for."""
    settings = request.settings
    assert 1 <= len(output.hypotheses) <= settings.n_best
    if not isinstance(settings.strategy, Beam):
        assert len(output.hypotheses) == settings.n_best
    elif settings.strategy.groups == 1:
        assert len({one.tokens for one in output.hypotheses}) == len(output.hypotheses)
    scores = [one.score for one in output.hypotheses]
    assert scores == sorted(scores, reverse=True)
    for one in output.hypotheses:
        _check_end(one, request)
        _check_phrases(one.tokens, request)
        _check_repeats(one.tokens, request)


def _check_end(one: Hypothesis, request: Request) -> None:
    tokens, settings = one.tokens, request.settings
    assert len(tokens) == len(one.log_probs)
    assert END not in tokens[:-1]
    text, before = spell(tokens), spell(tokens[:-1])
    assert not any(stop in before for stop in settings.stop)
    if tokens[-1] == END:
        assert one.finish is Finish.END
        assert len(tokens) > settings.min_tokens
    elif any(stop in text for stop in settings.stop):
        assert one.finish is Finish.STOP
    else:
        assert one.finish is Finish.LENGTH
        assert len(tokens) == settings.max_tokens
    assert len(tokens) <= settings.max_tokens


def _check_phrases(tokens: Sequence[int], request: Request) -> None:
    settings = request.settings
    assert tuple(tokens[: len(settings.prefix)]) == settings.prefix
    assert not any(places(tokens, phrase) for phrase in settings.banned)
    assert all(places(tokens, phrase) for phrase in settings.required)
    if settings.vocabulary is not None:
        assert set(tokens) <= settings.vocabulary | {END}


def _check_repeats(tokens: Sequence[int], request: Request) -> None:
    """No run occurs twice, but for what the prefix says and what is required brings along."""
    size, settings = request.settings.no_repeat_ngram, request.settings
    excused = set(range(len(settings.prefix)))
    for phrase in settings.required:
        for start in places(tokens, phrase):
            excused |= set(range(start, start + len(phrase)))
    whole = (*request.prompt, *tokens)
    seen: set[tuple[int, ...]] = set()
    for start in range(len(whole) - size + 1 if size else 0):
        run, last = whole[start : start + size], start + size - 1 - len(request.prompt)
        assert run not in seen or last < 0 or last in excused
        seen.add(run)


def places(tokens: Sequence[int], phrase: Sequence[int]) -> list[int]:
    """Where a phrase stands."""
    starts = range(len(tokens) - len(phrase) + 1)
    return [at for at in starts if tuple(tokens[at : at + len(phrase)]) == tuple(phrase)]
