"""`manyheads check`: findings, exit codes, tokens."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def leaking(write, tmp_path):
    """A training and a test table that share a text, with other labels."""
    rows = [(f"film number {n}", n % 2) for n in range(10)]
    write(tmp_path / "train.csv", rows)
    write(tmp_path / "test.csv", [("film number 3", 0), ("another film", 1)])
    return tmp_path


def test_findings_with_rows_and_remedies(shell, leaking):
    done = shell("check", leaking, "--json")
    assert done.returncode == 0, done.stderr
    findings = {one["kind"]: one for one in json.loads(done.stdout)["findings"]}
    assert findings["leakage"]["rows"]["test"] == [2]
    assert findings["leakage"]["remedy"]
    assert "leakage" in shell("check", leaking).stdout


def test_strict_turns_errors_into_an_exit_code(shell, table, leaking):
    report = json.loads(shell("check", leaking, "--json").stdout)
    worst = {one["severity"] for one in report["findings"]}
    assert shell("check", leaking, "--strict").returncode == int("error" in worst)
    assert shell("check", leaking).returncode == 0
    assert shell("check", table, "--strict").returncode == 0


def test_errors_exit_with_one_where_strict(shell, write, tmp_path):
    source = write(tmp_path / "one.csv", [(f"film {n}", "same") for n in range(4)])
    done = shell("check", source, "--strict", "--json")
    assert "error" in {one["severity"] for one in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1


def test_tokens_of_a_model(shell, table, tiny_bert):
    done = shell("check", table, "--model", tiny_bert, "--max-tokens", "8", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {one["unit"] for one in document["lengths"]} == {"characters", "tokens"}
    assert "truncation" in {one["kind"] for one in document["findings"]}


def test_a_table_without_a_header(shell, tmp_path):
    (tmp_path / "pairs.tsv").write_text("one\teins\ntwo\t\nthree\tthree\n")
    sides = ("--text", "0", "--target", "1", "--valid", "0")
    done = shell("check", tmp_path / "pairs.tsv", *sides, "--json")
    findings = {one["kind"]: one for one in json.loads(done.stdout)["findings"]}
    assert findings["empty_side"]["rows"] == {"train": [2]}


def test_parallel_text_in_a_folder_of_aligned_files(shell, tmp_path):
    (tmp_path / "train.en").write_text("one\ntwo\nthree\n")
    (tmp_path / "train.de").write_text("eins\n\nthree\n")
    sides = ("--text", "en", "--target", "de", "--valid", "0")
    done = shell("check", tmp_path, *sides, "--json")
    findings = {one["kind"]: one for one in json.loads(done.stdout)["findings"]}
    assert findings["empty_side"]["rows"] == {"train": [2]}
    assert findings["copy"]["rows"] == {"train": [3]}
    assert shell("check", tmp_path, *sides, "--strict").returncode == 1
    dropped = shell("check", tmp_path, *sides, "--strict", "--drop-empty")
    assert dropped.returncode == 0
    assert "1 row with an empty text dropped" in dropped.stdout
