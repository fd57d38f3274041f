"""`generate`, `chat`, `translate`, `summarize` and `score` in real processes, with tiny models."""

from __future__ import annotations

import csv
import json
import math
import os
import select
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet
from tests.cli.conftest import environment
from tests.writer import models, translators

import manyheads as mh
from manyheads.writer import summarize, translate

LIMIT = ("--max-tokens", "6")
WORDING = mh.Wording(max_tokens=6)
LINES = ["The cat sat.", "", "A hot dog is", "你好。"]
WRITING = ("generate", "translate", "summarize")


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.publish(tmp_path_factory.mktemp("llama"), "llama", chat=models.CHAT)


@pytest.fixture(scope="session")
def bart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.publish(tmp_path_factory.mktemp("bart"), "bart")


def flat(text: str) -> str:
    return "\\n".join(text.strip().splitlines())


def test_one_text_is_shown_as_it_is_written(shell, llama):
    done = shell("generate", "--model", llama, *LIMIT, "The cat")
    assert done.returncode == 0, done.stderr
    assert done.stdout == mh.Generator(llama)("The cat", WORDING).lstrip() + "\n"
    assert done.stderr == ""
    asked = shell("generate", "--model", llama, *LIMIT, "--ask", "The cat")
    messages = [{"role": "user", "content": "The cat"}]
    assert asked.stdout == mh.Generator(llama).chat(messages, WORDING).lstrip() + "\n"


@pytest.mark.parametrize("draft", ["rounded", "text", "itself"])
def test_a_draft_changes_nothing(shell, llama, draft):
    asked = ("generate", "--model", llama, *LIMIT, "The cat")
    guided = shell(*asked, "--draft", llama if draft == "itself" else draft)
    assert guided.returncode == 0, guided.stderr
    assert guided.stdout == shell(*asked).stdout


def test_a_draft_of_another_kind_is_refused(shell, llama, bart):
    done = shell("generate", "--model", llama, "--draft", bart, "The cat")
    assert done.returncode == 2
    assert "choose a smaller model of the same family" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_lines_stay_in_their_places(shell, llama, bart):
    stdin = ("\n".join(LINES) + "\n").encode()
    for model in (llama, bart):
        done = shell("generate", "--model", model, *LIMIT, "--rows", "2", stdin=stdin)
        assert done.returncode == 0, done.stderr
        generator = mh.Generator(model)
        expected = [flat(generator(line, WORDING)) if line else "" for line in LINES]
        assert done.stdout.split("\n")[:-1] == expected


def test_several_outputs_and_their_json(shell, bart):
    options = ("--model", bart, *LIMIT, "--beam", "3", "--nbest", "2", "--length-penalty", "0.5")
    done = shell("generate", *options, *LINES[:1], LINES[2])
    wording = mh.Wording(mh.Beam(3, 0.5), n_best=2, max_tokens=6)
    expected = mh.Generator(bart).outputs([LINES[0], LINES[2]], wording)
    lines = [line.split("\t") for line in done.stdout.split("\n")[:-1]]
    assert [text for _, text in lines] == [flat(one.text) for some in expected for one in some]
    assert [float(score) for score, _ in lines] == pytest.approx(
        [one.score for some in expected for one in some], abs=1e-4
    )
    document = json.loads(
        shell("generate", *options, "--json", stdin="\n".join(LINES).encode()).stdout
    )
    answers = document["answers"]
    assert [one["text"] for one in answers] == LINES
    assert answers[0]["output"] == [one.text for one in expected[0]]
    assert answers[0]["outputs"][1]["tokens"] == list(expected[0][1].tokens)
    assert answers[0]["outputs"][0]["finish"] == expected[0][0].finish.value
    assert answers[1]["output"] == answers[1]["score"] == []


def test_blank_texts_are_of_the_type_of_their_column(shell, llama, bart, tmp_path):
    """A column of Parquet has one type."""
    table = tmp_path / "t.csv"
    table.write_text('text,other\n"The cat sat.",1\n"",2\nA dog,3\n')
    several = ("--beam", "3", "--nbest", "2")
    for command, model, options, column in (
        ("generate", llama, (*LIMIT, *several), "output"),
        ("translate", bart, (*LIMIT, *several), "translation"),
        ("generate", llama, LIMIT, "output"),
        ("score", llama, (), "log_prob"),
    ):
        out = tmp_path / f"{command}-{len(options)}.parquet"
        read = ("--file", table, "--text", "text", "--out", out)
        done = shell(command, "--model", model, *options, *read)
        assert done.returncode == 0, done.stderr
        first, blank, last = parquet.read_table(out).to_pydict()[column]
        assert not blank
        assert first and last and type(first) is type(last)


def test_a_sample_is_drawn_by_its_seed(shell, llama):
    options = ("--model", llama, *LIMIT, "--temperature", "0.9", "--top-k", "30", "--min-p", "0.01")
    found = [shell("generate", *options, "--seed", seed, "The").stdout for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    wording = mh.Wording(mh.Sample(0.9, 30, min_p=0.01), max_tokens=6, seed=1)
    assert found[0] == mh.Generator(llama)("The", wording).lstrip() + "\n"


def test_phrases(shell, llama):
    options = ("--max-tokens", "20", "--require", "the dog", "--prefix", "Paris", "--ban", "cat")
    text = shell("generate", "--model", llama, *options, "The").stdout
    assert text.startswith("Paris")
    assert "the dog" in text
    stopped = shell("generate", "--model", llama, *options, "--stop", "dog", "The").stdout
    assert stopped == text.split("dog")[0].rstrip("\n") + "\n"


def test_tables(shell, bart, tmp_path):
    source = tmp_path / "in.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "body"), *((n, line) for n, line in enumerate(LINES))])
    for command, column in zip(WRITING, ("output", "translation", "summary"), strict=True):
        out = tmp_path / f"{command}.csv"
        options = ("--model", bart, *LIMIT, "--file", source, "--text", "body", "--out", out)
        done = shell(command, *options, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"out": str(out), "rows": 4, "truncated": 0}
        with out.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["body"] for row in rows] == LINES
        assert [bool(row[column]) for row in rows][1] is False
        assert "truncated" in rows[0]


def test_translate_between_languages(shell, tmp_path):
    folder = translators.nllb(tmp_path)
    done = shell(
        "translate", "--model", folder, "--from", "zho_Hans", "--to", "fra_Latn", *LIMIT, "酒店"
    )
    assert done.returncode == 0, done.stderr
    wording = replace(WORDING, source_language="zho_Hans", target_language="fra_Latn")
    (expected,) = translate(mh.Generator(folder), ["酒店"], wording)
    assert done.stdout == expected.text.strip() + "\n"
    for options, message in (
        (("--to", "fra_latn"), "Did you mean 'fra_Latn'"),
        (("--from", "zh", "--to", "fra_Latn"), "'zh' is not known. There are: zho_Hans, "),
        ((), "writes in 4 languages and must be told in which"),
    ):
        done = shell("translate", "--model", folder, *options, "酒店")
        assert (done.returncode, done.stdout) != (0, "")
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_translate(shell, bart):
    text = "The cat sat. A hot dog is no dog."
    done = shell("translate", "--model", bart, *LIMIT, stdin=f"{text}\n\n".encode())
    (expected,) = translate(mh.Generator(bart), [text], WORDING)
    assert done.stdout == flat(expected.text) + "\n\n"
    document = json.loads(shell("translate", "--model", bart, *LIMIT, "--json", text).stdout)
    (answer,) = document["answers"]
    assert answer["translation"] == expected.text
    assert len(answer["parts"]) == 2
    whole = json.loads(
        shell("translate", "--model", bart, *LIMIT, "--json", "--whole-texts", text).stdout
    )
    assert len(whole["answers"][0]["parts"]) == 1


def test_summarize_all_of_stdin(shell, bart):
    article = "The cat sat on the mat.\nThe dog sat on the log!\n" * 20
    done = shell("summarize", "--model", bart, *LIMIT, "--whole", stdin=article.encode())
    assert done.returncode == 0, done.stderr
    (expected,) = summarize(mh.Generator(bart), [article.rstrip("\n")], WORDING)
    assert done.stdout == expected.text + "\n"
    cut = shell(
        "summarize", "--model", bart, *LIMIT, "--whole", "--truncate", stdin=article.encode()
    )
    assert "1 of 1 texts were longer than the model reads, and were cut" in cut.stderr


def test_score(shell, llama, bart, tmp_path):
    done = shell("score", "--model", llama, "The cat sat.", "", "The dog")
    assert done.returncode == 0, done.stderr
    scored = mh.Generator(llama).score(["The cat sat.", "The dog"])
    lines = done.stdout.split("\n")[:-1]
    assert lines[1] == ""
    for line, one in zip((lines[0], lines[2]), scored, strict=True):
        log_prob, perplexity, _ = line.split("\t")
        assert float(log_prob) == pytest.approx(one.log_prob, abs=1e-4)
        assert float(perplexity) == pytest.approx(one.perplexity, rel=1e-4)
    tokens = [len(one.tokens) for one in scored]
    whole = math.exp(-sum(one.log_prob for one in scored) / sum(tokens))
    assert f"all {sum(tokens)} tokens: {whole:.4f}" in done.stderr
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"a": "The cat", "b": "the dog"}\n', encoding="utf-8")
    options = ("--file", pairs, "--text", "a", "--target", "b", "--json")
    document = json.loads(shell("score", "--model", bart, *options).stdout)
    (expected,) = mh.Generator(bart).score(["The cat"], ["the dog"])
    (answer,) = document["answers"]
    assert answer["log_prob"] == pytest.approx(expected.log_prob, abs=1e-4)
    assert answer["tokens"] == list(expected.tokens)


def test_a_dialogue_through_a_pipe(shell, llama):
    stdin = b"The cat\n\nA dog\n/reset\nThe cat\n/quit\nnever asked\n"
    done = shell("chat", "--model", llama, *LIMIT, "--system", "short", "--json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    generator = mh.Generator(llama)
    first = [
        {"role": "system", "content": "short"},
        {"role": "user", "content": "The cat"},
    ]
    reply = generator.chat(first, WORDING).lstrip()
    said = json.loads(done.stdout)["messages"]
    assert said == [*first, {"role": "assistant", "content": reply}]
    shown = shell("chat", "--model", llama, *LIMIT, "--system", "short", stdin=stdin).stdout
    second = [*said, {"role": "user", "content": "A dog"}]
    replies = [reply, generator.chat(second, WORDING).lstrip(), reply]
    assert shown == "".join(f"{one}\n" for one in replies)


def test_an_old_question_is_forgotten_when_there_is_no_room(shell, llama):
    question = "The cat sat on the mat, and the dog"
    stdin = f"{question}\n".encode() * 4
    done = shell("chat", "--model", llama, *LIMIT, "--json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    messages = json.loads(done.stdout)["messages"]
    assert 2 <= len(messages) < 8
    assert "forgotten, to make room" in done.stderr
    long = shell("chat", "--model", llama, *LIMIT, stdin=("cat dog " * 90).encode())
    assert long.returncode == 2
    assert "the question is too long" in long.stderr


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("generate", ("--beam", "0", "x"), "beams=0 is below 1"),
        ("generate", ("--temperature", "-1", "x"), "temperature=-1.0 is not above 0"),
        ("generate", ("--sample", "--beam", "2", "x"), "--beam and --sample"),
        ("generate", ("--length-penalty", "2", "x"), "needs --beam"),
        ("generate", ("--ban", "cat", "--require", "cat", "x"), "banned; leave one"),
        ("generate", ("--require", "the cat sat", "--max-tokens", "1", "x"), "leave no room"),
        ("generate", ("--max-tokens", "500", "x"), "choose max_tokens of at most"),
        ("generate", ("--max-source", "900", "x"), "longest=900 is outside"),
        ("generate", ("cat " * 200,), "exceed the 96 that this model reads"),
        ("generate", ("--file", "in.csv", "x"), "give one of them"),
        ("generate", ("--whole", "x"), "--whole is for stdin"),
        ("generate", ("--out", "out.xlsx", "x"), ".csv"),
        ("translate", ("x",), "must be told the language"),
        ("translate", ("--instruction", "Go", "--to", "fr", "x"), "names no languages"),
        ("score", ("--target", "b", "x"), "needs --file"),
        ("chat", ("--nbest", "2"), "one reply at a time"),
        ("chat", ("--instruction", "Go"), "--system"),
    ],
)
def test_what_cannot_be_written_is_one_line(shell, llama, command, options, said):
    done = shell(command, "--model", llama, *options)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("manyheads: ")
    assert said in line


def test_errors_count_lines_as_they_stand(shell, bart):
    stdin = f"short\n\n{'The cat ' * 60}\n".encode()
    for command in WRITING[:2]:
        done = shell(command, "--model", bart, stdin=stdin)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("manyheads: line 3: ")


def test_models_that_cannot(shell, bart, tiny_bert, tmp_path):
    done = shell("generate", "--model", tiny_bert, "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no decoder" in done.stderr
    done = shell("chat", "--model", bart, stdin=b"hello\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no chat template" in done.stderr
    for name, content in (("magic.gguf", b"GGML" + bytes(64)), ("empty.gguf", b"")):
        (tmp_path / name).write_bytes(content)
        done = shell("generate", "--model", tmp_path / name, "x")
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert "copy or download it again" in line


def test_without_jinja2(shell, llama, tmp_path):
    (tmp_path / "jinja2.py").write_text("raise ImportError('not here')", encoding="utf-8")
    done = shell("generate", "--model", llama, "--ask", "x", before=[tmp_path])
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "pip install 'manyheads[chat]'" in line


def test_a_real_model_tells_the_capital_of_france(shell, smollm_reference):
    options = ("--model", smollm_reference, "--max-tokens", "12", "--stop", "\n")
    done = shell("generate", *options, "The capital of France is")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Paris.\n"


def printable(text: str) -> str:
    """What a terminal leaves of a text, whatever it makes of the rest."""
    return "".join(one for one in text if one.isprintable() and not one.isspace())


def test_a_dialogue_in_a_terminal(llama):
    pty = pytest.importorskip("pty")
    child, terminal = pty.fork()
    if child == 0:
        command = [sys.executable, "-m", "manyheads", "chat", "--model", str(llama), *LIMIT]
        os.execve(sys.executable, command, environment() | {"TERM": "dumb"})

    def seen_until(mark: bytes) -> str:
        shown, end = b"", time.monotonic() + 60
        while mark not in shown and time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    shown += os.read(terminal, 4096)
                except OSError:  # the other side has closed
                    break
        return shown.decode(errors="replace")

    try:
        assert "/reset begins a new dialogue" in seen_until(b"> ")
        os.write(terminal, b"/rest\n")
        assert "there is no /rest" in seen_until(b"\n> ")
        os.write(terminal, b"The cat\n")
        shown = seen_until(b"\n> ")
        reply = mh.Generator(llama).chat([{"role": "user", "content": "The cat"}], WORDING)
        assert printable(reply) in printable(shown)
        os.write(terminal, b"\x04")
        seen_until(b"never shown")
    finally:
        os.close(terminal)  # a dialogue that has not ended ends now
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
