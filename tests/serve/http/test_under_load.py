"""`manyheads bench serve` against a real service, by all of its routes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests import tiny
from tests.serve import models

from .server import Server


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "manyheads", "bench", "serve", *map(str, arguments)],
        env=tiny.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("route", "model", "says_tokens"),
    [
        ("/v1/embed", "vectors", True),
        ("/v1/predict", "moods", True),
        ("/v1/embeddings", "vectors", True),
        ("/embed", None, False),
    ],
)
def test_every_route(
    server: Server, tmp_path: Path, route: str, model: str | None, says_tokens: bool
) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(models.LINES[:5]), encoding="utf-8")
    asked = ("--route", route, "--file", file, "--texts", 2, "--json")
    named = () if model is None else ("--model", model)
    load = ("--clients", 4, "--seconds", 1, "--warmup", 0)
    done = bench(server.url, *asked, *named, *load)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["sent"] == report["answered"] >= 4 and report["errors"] == {}
    assert report["items_per_second"] > 0
    assert (report["tokens_per_second"] is not None) is says_tokens


def test_for_a_person(server: Server) -> None:
    done = bench(server.url, "--rate", 40, "--seconds", 1, "--warmup", 0, "--quiet")
    assert done.returncode == 0 and done.stderr == ""
    first, *lines = done.stdout.splitlines()
    assert first == "open loop, 40 requests/s, 1 s"
    assert [line.split()[0] for line in lines[:3]] == ["requests", "throughput", "latency"]
    assert lines[2].split() == ["latency", "p50", "p90", "p95", "p99", "max"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rate", 1, "--clients", 1), "two kinds of load"),
        (("--model", "nobody"), "no model 'nobody'"),
        (("--route", "/v1/embeddings"), "--model NAME"),
        (("--file", "nowhere.txt"), "nowhere.txt cannot be read"),
    ],
)
def test_what_cannot_be_measured(server: Server, arguments: tuple[object, ...], said: str) -> None:
    done = bench(server.url, *arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr.splitlines()[-1]
