"""The clients of bert-as-service, unmodified, against a real server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny

import manyheads as mh
from manyheads.errors import ConfigError
from manyheads.serve.batcher import Batcher
from manyheads.serve.crew import Crew
from manyheads.serve.encoding import Encoding, ServedEncoder
from manyheads.serve.notes import Notes
from manyheads.serve.process import WorkerProcess
from manyheads.serve.reception import Limits
from manyheads.serve.strategy import Strategy

pytest.importorskip("bert_serving.client")
zmq = pytest.importorskip("zmq")

# What the client says of texts that the server will cut is not for us to change.
pytestmark = pytest.mark.filterwarnings("ignore:some of your sentences have more tokens")

LINES = tiny.lines(60).train.columns["text"]
TEXTS = ["the food was lovely", "awful", LINES[0], "今天天气很好", " ".join(LINES[:9])]
LONGEST = 12


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of three layers, as `transformers` writes it, pooler and all."""
    import transformers

    folder = tmp_path_factory.mktemp("bert")
    tokenizer = mh.learn_tokenizer(LINES, mh.WordPiece(vocabulary=120))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=tokenizer.vocabulary_size,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=40,
    )
    model = transformers.BertModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    tokenizer.save(folder)
    return folder


class Running:
    """A wire that answers in a thread of its own, and what it records."""

    def __init__(self, wire: Any, batcher: Batcher, recorded: list[Notes]) -> None:
        self.wire, self.batcher, self.recorded = wire, batcher, recorded

    def client(self, **options: Any) -> Any:
        from bert_serving.client import BertClient

        return BertClient(
            port=self.wire.port, port_out=self.wire.port_out, timeout=20_000, **options
        )


@contextmanager
def serving(folder: Path, terminates: bool = False, **settings: Any) -> Iterator[Running]:
    """Serve the layers of a model, and end the server whatever happens."""
    from manyheads.serve.zeromq import ZeroMqWire

    encoding = Encoding(**{"max_tokens": LONGEST, **settings})
    ready, running, failed = threading.Event(), [], []
    ending: list[Any] = []

    async def main() -> None:
        opened = {"reference": str(folder), "encoding": encoding.to_json()}
        crew = Crew([WorkerProcess(opened)])
        over = asyncio.Event()
        ending.extend((asyncio.get_running_loop(), over))
        try:
            await crew.start()
            batcher = Batcher(crew, Limits(batch_tokens=256))
            with ThreadPoolExecutor(1) as threads:
                encoder = ServedEncoder("layers", batcher, encoding, threads)
                stop = over.set if terminates else None
                recorded: list[Notes] = []
                wire = ZeroMqWire(encoder, "127.0.0.1", 0, 0, stop, recorded.append)
                await wire.start()
                running.append(Running(wire, batcher, recorded))
                ready.set()
                await over.wait()
                await wire.close()
        except Exception as error:
            failed.append(error)
        finally:
            await crew.end()
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait(60)
    try:
        if failed:
            raise failed[0]
        yield running[0]
    finally:
        if thread.is_alive():
            ending[0].call_soon_threadsafe(ending[1].set)
        thread.join(30)
        assert not thread.is_alive()


def layers_of(folder: Path, texts: list[str], pairs: list[str] | None = None) -> list[Any]:
    """All hidden states of each text, and its pooled one, as `transformers` computes them."""
    import transformers

    model = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = mh.Tokenizer.from_folder(folder)
    found = []
    for one in tokenizer.encode(texts, pairs, truncation=mh.Head(LONGEST)):
        ids = torch.tensor([one.pieces[0].ids.tolist()])
        segments = torch.tensor([one.pieces[0].segments.tolist()])
        with torch.no_grad():
            out = model(ids, token_type_ids=segments, output_hidden_states=True)
        found.append(([state[0].numpy() for state in out.hidden_states[1:]], out.pooler_output[0]))
    return found


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=2e-5)


POOLED = {
    Strategy.REDUCE_MEAN: lambda x: x.mean(0),
    Strategy.REDUCE_MAX: lambda x: x.max(0),
    Strategy.REDUCE_MEAN_MAX: lambda x: np.concatenate((x.mean(0), x.max(0))),
    Strategy.CLS_TOKEN: lambda x: x[0],
    Strategy.FIRST_TOKEN: lambda x: x[0],
    Strategy.SEP_TOKEN: lambda x: x[-1],
    Strategy.LAST_TOKEN: lambda x: x[-1],
}


@pytest.mark.parametrize(
    ("strategy", "layers"),
    [*((one, (-2,)) for one in POOLED), (Strategy.REDUCE_MEAN_MAX, (-1, 0))],
    ids=str,
)
def test_every_strategy(bert: Path, strategy: Strategy, layers: tuple[int, ...]) -> None:
    with serving(bert, strategy=strategy, layers=layers) as running, running.client() as client:
        states = [
            np.concatenate([all_of[layer] for layer in layers], axis=1)
            for all_of, _ in layers_of(bert, TEXTS)
        ]
        close(client.encode(TEXTS), [POOLED[strategy](one) for one in states])


def test_the_pooler_of_bert(bert: Path) -> None:
    with serving(bert, strategy=Strategy.CLS_POOLED) as running, running.client() as client:
        close(client.encode(TEXTS), [pooled.numpy() for _, pooled in layers_of(bert, TEXTS)])


@pytest.mark.parametrize("fixed", [False, True])
def test_matrices(bert: Path, fixed: bool) -> None:
    settings = {"strategy": Strategy.NONE, "fixed_length": fixed, "without_frame": True}
    with serving(bert, **settings) as running, running.client() as client:
        texts = TEXTS[:3]
        found = client.encode(texts)
        states = [all_of[-2] for all_of, _ in layers_of(bert, texts)]
        assert found.shape == (3, LONGEST if fixed else max(map(len, states)), 16)
        for row, expected in zip(found, states, strict=True):
            close(row[1 : len(expected) - 1], expected[1:-1])
            assert not row[0].any() and not row[len(expected) - 1 :].any()


def test_the_frame_may_be_left_out(bert: Path) -> None:
    with serving(bert, without_frame=True) as running, running.client() as client:
        expected = [all_of[-2][1:-1].mean(0) for all_of, _ in layers_of(bert, TEXTS)]
        close(client.encode(TEXTS), expected)


@pytest.fixture(scope="module")
def running(bert: Path) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tiny.ENVIRONMENT.items():
            patch.setenv(name, value)
        with serving(bert, shows_tokens=True) as made:
            yield made


def mean(folder: Path, texts: list[str], pairs: list[str] | None = None) -> np.ndarray:
    return np.stack([all_of[-2].mean(0) for all_of, _ in layers_of(folder, texts, pairs)])


def test_config_and_status(running: Running) -> None:
    with running.client() as client:
        config = client.server_config
        assert config["server_version"] == "1.10.0" and config["max_seq_len"] == LONGEST
        assert config["pooling_strategy"] == "REDUCE_MEAN" and config["show_tokens_to_client"]
        client.encode(TEXTS)
        statistic = client.server_status["statistic"]
        assert statistic["num_texts"] >= len(TEXTS) and statistic["num_active_client"] == 1


def test_tokens_are_shown(running: Running) -> None:
    with running.client() as client:
        vectors, tokens = client.encode(TEXTS[:2], show_tokens=True)
        assert len(vectors) == 2
        assert tokens[0][0] == "[CLS]" and tokens[0][-1] == "[SEP]" and len(tokens[0]) <= LONGEST


def test_tokens_may_come_as_such(running: Running, bert: Path) -> None:
    tokenizer = mh.Tokenizer.from_folder(bert)
    tokens = [tokenizer.tokens(one.pieces[0].ids) for one in tokenizer.encode(TEXTS, frame=False)]
    with running.client(check_length=False) as client:
        close(client.encode(tokens, is_tokenized=True), mean(bert, TEXTS))
        _, shown = client.encode([["nothing", "known"]], is_tokenized=True, show_tokens=True)
        assert shown == [["[CLS]", "[UNK]", "[UNK]", "[SEP]"]]


def test_pairs(running: Running, bert: Path) -> None:
    texts = [f"{TEXTS[0]} ||| {TEXTS[1]}", TEXTS[2], f"{TEXTS[1]} ||| {TEXTS[0]}"]
    with running.client() as client:
        found = client.encode(texts)
    close(found[[0, 2]], mean(bert, [TEXTS[0], TEXTS[1]], [TEXTS[1], TEXTS[0]]))
    close(found[1:2], mean(bert, [TEXTS[2]]))


def test_answers_that_are_fetched_later(running: Running, bert: Path) -> None:
    parts = [TEXTS[:2], TEXTS[2:3], TEXTS[3:]]
    with running.client() as client:
        for part in parts:
            client.encode(part, blocking=False)
        for found, part in zip(client.fetch_all(), parts, strict=True):
            close(found, mean(bert, part))
        coming = client.encode_async(iter(parts), delay=0.01)
        answers = {one.id: one.embedding for one in coming}
        for (_, found), part in zip(sorted(answers.items()), parts, strict=True):
            close(found, mean(bert, part))


def test_many_clients_at_once(running: Running, bert: Path) -> None:
    from bert_serving.client import ConcurrentBertClient

    expected = mean(bert, TEXTS)
    shared = ConcurrentBertClient(
        max_concurrency=6, port=running.wire.port, port_out=running.wire.port_out, timeout=20_000
    )

    def ask(number: int) -> None:
        at = number % len(TEXTS)
        close(shared.encode(texts=TEXTS[at : at + 1]), expected[at : at + 1])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(ask, range(30)))
    shared.close()


def test_no_first_reply_is_ever_lost(running: Running) -> None:
    """A publisher that does not wait for its subscriber loses many of these."""
    for _ in range(30):
        with running.client() as client:
            assert client.encode(["awful"]).shape == (1, 16)


def test_a_reply_waits_for_a_subscription_that_comes_late(running: Running) -> None:
    context = zmq.Context()
    sender, receiver = context.socket(zmq.PUSH), context.socket(zmq.SUB)
    sender.connect(f"tcp://127.0.0.1:{running.wire.port}")
    sender.send_multipart([b"late", b"SHOW_CONFIG", b"1", b"0"])
    time.sleep(0.5)
    receiver.setsockopt(zmq.RCVTIMEO, 10_000)
    receiver.setsockopt(zmq.SUBSCRIBE, b"late")
    receiver.connect(f"tcp://127.0.0.1:{running.wire.port_out}")
    assert receiver.recv_multipart()[2] == b"1"
    context.destroy(linger=0)


def test_what_is_wrong_is_said_and_nobody_waits(running: Running, bert: Path) -> None:
    import json

    context = zmq.Context()
    sender, receiver = context.socket(zmq.PUSH), context.socket(zmq.SUB)
    receiver.setsockopt(zmq.SUBSCRIBE, b"raw")
    receiver.setsockopt(zmq.RCVTIMEO, 10_000)
    receiver.connect(f"tcp://127.0.0.1:{running.wire.port_out}")
    sender.connect(f"tcp://127.0.0.1:{running.wire.port}")
    before = running.wire.status()["statistic"]
    sender.send_multipart([b"raw", b"one frame too few", b"1"])
    sender.send_multipart([b"raw", b"{no json", b"2", b"1"])
    sender.send_multipart(
        [b"raw", json.dumps([TEXTS[0], 7, "a\ud800", TEXTS[1]]).encode(), b"3", b"4"]
    )
    _, header, data, number = receiver.recv_multipart()
    assert number == b"3"
    found = np.frombuffer(data, "float32").reshape(json.loads(header)["shape"])
    close(found[[0, 3]], mean(bert, TEXTS[:2]))
    assert np.isnan(found[[1, 2]]).all()
    after = running.wire.status()["statistic"]
    assert after["num_bad_frames"] - before["num_bad_frames"] == 2
    assert after["num_bad_texts"] - before["num_bad_texts"] == 2
    assert any("no text and no list" in error for error in after["errors"])
    ours = {one.request_id: one for one in running.recorded if one.request_id.startswith("raw/")}
    assert ours.keys() == {"raw/2", "raw/3"}  # what is no request has no number
    assert (ours["raw/2"].status, ours["raw/2"].error) == (400, "TextError")
    told = ours["raw/3"]
    assert (told.method, told.model, told.status, told.items) == ("ZMQ", "layers", 200, 2)
    assert 0 < told.worked < told.seconds and told.tokens > 4
    context.destroy(linger=0)


def test_termination_only_where_it_is_allowed(running: Running, bert: Path) -> None:
    def send(port: int) -> None:
        context = zmq.Context()
        sender = context.socket(zmq.PUSH)
        sender.connect(f"tcp://127.0.0.1:{port}")
        sender.send_multipart([b"0", b"TERMINATION", b"0", b"0"])
        sender.close(linger=2000)
        context.term()

    send(running.wire.port)
    with running.client() as client:
        assert client.encode(["awful"]).shape == (1, 16)
    with serving(bert, terminates=True) as other:
        send(other.wire.port)
        deadline = time.monotonic() + 20
        while any(worker.is_ready for worker in other.batcher.crew.workers):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_what_a_model_has_not_is_refused(bert: Path) -> None:
    with (
        pytest.raises(ConfigError, match="pooling_layer=-4 of a model with 3 layers"),
        serving(bert, layers=(-4,)),
    ):
        pass
    with pytest.raises(ConfigError, match="leaves no room"):
        Encoding(max_tokens=2)
    with pytest.raises(ConfigError, match="a fixed length needs max_seq_len"):
        Encoding(max_tokens=None, fixed_length=True)
