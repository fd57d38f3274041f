"""Settings that make no sense are refused, in words that say what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from manyheads.errors import GenerationError
from manyheads.generate import Beam, Sample, Settings

NAN = float("nan")
INFINITE = float("inf")

WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Beam(0), "beams=0 is below 1"),
    (lambda: Beam(4, groups=0), "groups=0 is below 1"),
    (lambda: Beam(4, groups=3), "beams=4 cannot be cut into groups=3"),
    (lambda: Beam(4, groups=2, diversity=-0.5), "diversity=-0.5 is below 0"),
    (lambda: Beam(4, diversity=0.5), "diversity=0.5 needs several groups"),
    (lambda: Beam(coverage_penalty=-1), "coverage_penalty=-1 is below 0"),
    (lambda: Beam(coverage_penalty=NAN), "coverage_penalty=nan"),
    (lambda: Beam(coverage_penalty=INFINITE), "coverage_penalty=inf"),
    (lambda: Beam(length_penalty=NAN), "length_penalty=nan"),
    (lambda: Beam(length_penalty=INFINITE), "length_penalty=inf"),
    (lambda: Beam(4, groups=2, diversity=INFINITE), "diversity=inf"),
    (lambda: Sample(temperature=0), r"temperature=0 is not above 0.*Greedy\(\)"),
    (lambda: Sample(temperature=-1), "temperature=-1 is not above 0"),
    (lambda: Sample(temperature=NAN), "temperature=nan"),
    (lambda: Sample(temperature=INFINITE), "temperature=inf"),
    (lambda: Sample(top_k=0), "top_k=0 is below 1"),
    (lambda: Sample(top_p=0), "top_p=0 is outside 0 to 1"),
    (lambda: Sample(top_p=1.1), "top_p=1.1 is outside 0 to 1"),
    (lambda: Sample(top_p=NAN), "top_p=nan"),
    (lambda: Sample(typical_p=0), "typical_p=0 is outside 0 to 1"),
    (lambda: Sample(min_p=1), "min_p=1 is outside 0 to 1"),
    (lambda: Sample(min_p=-0.1), "min_p=-0.1 is outside 0 to 1"),
    (lambda: Settings(n_best=0), "n_best=0 is below 1"),
    (lambda: Settings(n_best=2), "n_best=2, but greedy search finds 1 output"),
    (lambda: Settings(Beam(2), n_best=3), "n_best=3 exceeds beams=2"),
    (lambda: Settings(max_tokens=0), "max_tokens=0 is below 1"),
    (lambda: Settings(min_tokens=-1), "min_tokens=-1 is below 0"),
    (lambda: Settings(max_tokens=3, min_tokens=4), "min_tokens=4 exceeds max_tokens=3"),
    (lambda: Settings(no_repeat_ngram=-1), "no_repeat_ngram=-1 is below 0"),
    (lambda: Settings(repetition_penalty=0), "repetition_penalty=0 is not above 0"),
    (lambda: Settings(repetition_penalty=NAN), "repetition_penalty=nan"),
    (lambda: Settings(repetition_penalty=INFINITE), "repetition_penalty=inf"),
    (lambda: Settings(banned=((),)), "banned holds an empty phrase"),
    (lambda: Settings(required=((3,), ())), "required holds an empty phrase"),
    (lambda: Settings(stop=("",)), "stop holds an empty string"),
    (lambda: Settings(max_tokens=3, required=((3, 4), (5, 6))), "choose at least 4"),
    (lambda: Settings(max_tokens=3, prefix=(3, 4), required=((5, 6),)), "choose at least 4"),
    (lambda: Settings(max_tokens=2, prefix=(3, 4)), "choose at least 3"),
    (lambda: Settings(required=((3, 4, 5),), banned=((4, 5),)), "which is banned"),
    (lambda: Settings(prefix=(3, 4, 5), banned=((4,),)), "which is banned"),
    (lambda: Settings(required=((3, 4),), vocabulary=frozenset({3})), "4 is not in the vocabulary"),
    (lambda: Settings(prefix=(3, 4), vocabulary=frozenset({3})), "4 is not in the vocabulary"),
    # What a type checker would find, and what would else be taken for something else.
    (lambda: Settings(stop="END"), "stop='END' is a string"),  # type: ignore[arg-type]
    (lambda: Settings(banned=([3, 4],)), "banned holds \\[3, 4\\]"),  # type: ignore[arg-type]
    (lambda: Settings(required=(3, 4)), "required holds 3"),  # type: ignore[arg-type]
    (lambda: Settings(prefix=[3]), "prefix holds .3."),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_makes_no_sense_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(GenerationError, match=message):
        make()


def test_what_the_prefix_holds_needs_no_room() -> None:
    Settings(max_tokens=3, prefix=(3, 4), required=((3, 4),))
    with pytest.raises(GenerationError, match="choose at least 3"):
        Settings(max_tokens=2, prefix=(3, 4), required=((3, 4),))


def test_limits_themselves_are_allowed() -> None:
    Settings(max_tokens=4, min_tokens=4, required=((3, 4), (5, 6)))
    Settings(max_tokens=4, prefix=(2, 3, 4))
    Settings(Beam(2, -1.0), n_best=2)
    Sample(temperature=1e-6, top_k=1, top_p=1e-9, min_p=0.999, typical_p=1.0)
