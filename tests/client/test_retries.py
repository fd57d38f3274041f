"""What is tried again and what is not, how long a client waits, and how much it asks at once."""

from __future__ import annotations

import base64
import time
from email.utils import formatdate

import numpy as np
import pytest

import manyheads as mh
from manyheads.client.patience import pauses, seconds_of
from manyheads.errors import (
    ConfigError,
    DeadlineExceeded,
    Draining,
    Overloaded,
    ServiceError,
    Unreachable,
)

from .scripted import Reply, answering

VECTOR = {
    "vector": base64.b64encode(np.ones(3, "<f4").tobytes()).decode(),
    "tokens": 4,
    "truncated": 0,
}
GOOD = Reply(document={"model": "m", "dimensions": 3, "items": [VECTOR]})


def refusal(status: int, kind: str, **headers: str) -> Reply:
    said = {"error": {"type": kind, "message": f"a message of {kind}"}}
    return Reply(status, said, {name.replace("_", "-"): text for name, text in headers.items()})


@pytest.mark.parametrize(
    "reply", [refusal(429, "Overloaded"), refusal(503, "Draining"), Reply(breaks=True)]
)
def test_what_may_go_better_is_tried_again(reply: Reply) -> None:
    with answering(reply, reply, GOOD) as script, mh.Client(script.url) as client:
        assert client.embed("a").tolist() == [[1, 1, 1]]
        assert len(script.requests) == 3


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(400, "ConfigError"), ConfigError),
        (refusal(408, "DeadlineExceeded"), DeadlineExceeded),
        (refusal(500, "WorkerLost"), mh.ManyHeadsError),
        (refusal(400, "MissingExtra"), ServiceError),
        (refusal(400, "did_you_mean"), ServiceError),
        (Reply(502, "<html>Bad Gateway</html>"), ServiceError),
        (Reply(200, pieces=["no JSON"]), ServiceError),
    ],
)
def test_nothing_else_is(reply: Reply, kind: type[Exception]) -> None:
    with answering(reply, GOOD) as script, mh.Client(script.url) as client:
        with pytest.raises(kind):
            client.embed("a")
        assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(429, "Overloaded", Retry_After="0"), Overloaded),
        (refusal(503, "Draining"), Draining),
        (Reply(breaks=True), Unreachable),
    ],
)
def test_there_is_an_end_to_trying(reply: Reply, kind: type[Exception]) -> None:
    with answering(reply) as script, mh.Client(script.url, retries=2) as client:
        with pytest.raises(kind):
            client.embed("a")
        assert len(script.requests) == 3


def test_a_service_says_when_to_come_back() -> None:
    busy = refusal(429, "Overloaded", Retry_After="1")
    with answering(busy, GOOD) as script, mh.Client(script.url) as client:
        client.embed("a")
        first, second = script.requests
        assert 1 <= second.time - first.time < 3


def test_nobody_waits_for_what_would_come_too_late() -> None:
    busy = refusal(429, "Overloaded", Retry_After="60")
    with answering(busy, GOOD) as script, mh.Client(script.url, timeout=5) as client:
        begun = time.monotonic()
        with pytest.raises(Overloaded) as raised:
            client.embed("a")
        assert raised.value.retry_after == 60
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    "reply",
    [Reply(pause=5), Reply(pause=0.2, pieces=["{"] * 40)],
    ids=["silent", "a byte at a time"],
)
def test_a_call_ends_at_its_deadline(reply: Reply) -> None:
    with answering(reply) as script, mh.Client(script.url) as client:
        begun = time.monotonic()
        with pytest.raises(DeadlineExceeded, match=r"in 0\.5 s"):
            client.embed("a", timeout=0.5)
        assert 0.4 < time.monotonic() - begun < 2
        assert script.requests[0].document["timeout"] <= 0.5


def test_nobody_is_there() -> None:
    with answering(GOOD) as script:
        pass
    with (
        mh.Client(script.url, retries=1) as client,
        pytest.raises(Unreachable, match="is it running"),
    ):
        client.embed("a")


def test_pauses_grow_and_differ() -> None:
    several = [list(pauses(10)) for _ in range(20)]
    for one in several:
        assert all(0.125 * 2**at <= pause <= 0.25 * 2**at for at, pause in enumerate(one[:7]))
        assert max(one) <= 30
    assert len({one[0] for one in several}) == 20


def test_times_to_come_back() -> None:
    assert seconds_of(None) == seconds_of("soon") == seconds_of("-3") == 0
    assert seconds_of("7") == 7
    assert 50 < seconds_of(formatdate(time.time() + 60, usegmt=True)) <= 60
    assert seconds_of(formatdate(time.time() - 60, usegmt=True)) == 0


def test_requests_are_bounded() -> None:
    slow = Reply(document={**GOOD.document, "items": [VECTOR] * 2}, pause=0.1)
    with (
        answering(slow) as script,
        mh.Client(script.url, texts_per_request=2, concurrency=3, bulk=True) as client,
    ):
        assert client.embed(["a"] * 40).shape == (40, 3)
    assert max(request.at_once for request in script.requests) == 3
    assert [request.document["inputs"] for request in script.requests] == [["a", "a"]] * 20
    assert {request.document["lane"] for request in script.requests} == {"bulk"}


def test_long_texts_go_alone() -> None:
    with answering(GOOD) as script, mh.Client(script.url) as client:
        client.embed(["a" * 300_000] * 3)
    assert [len(request.document["inputs"]) for request in script.requests] == [1, 1, 1]


def test_an_item_that_goes_wrong_is_named() -> None:
    lost = {"error": {"type": "OutOfMemory", "message": "too much"}, "tokens": 9, "truncated": 0}
    good = {**GOOD.document, "items": [VECTOR] * 2}
    bad = {**GOOD.document, "items": [VECTOR, lost]}
    alone = refusal(413, "OutOfMemory")
    with (
        answering(Reply(document=good), Reply(document=bad), alone) as script,
        mh.Client(script.url, texts_per_request=2, concurrency=1) as client,
    ):
        with pytest.raises(mh.ManyHeadsError, match=r"^text 4: too much"):
            client.embed(["a"] * 6)
        with pytest.raises(mh.ManyHeadsError, match=r"^text 1: a message of OutOfMemory"):
            client.predict(["a"])


def test_answers_that_make_no_sense() -> None:
    short = Reply(document={**GOOD.document, "items": []})
    narrow = Reply(document={**GOOD.document, "dimensions": 2})
    other = {**VECTOR, "vector": base64.b64encode(np.ones(2, "<f4").tobytes()).decode()}
    replaced = Reply(document={"model": "m", "dimensions": 2, "items": [other]})
    for replies, message in (
        ([short], "1 texts by 0 items"),
        ([narrow], "3 numbers came, not of 2"),
        ([GOOD, replaced], "2 and 3 numbers"),
    ):
        with (
            answering(*replies) as script,
            mh.Client(script.url, texts_per_request=1, concurrency=1) as client,
            pytest.raises(ServiceError, match=message),
        ):
            client.embed(["a"] * len(replies))
