"""Many heads from a file, trained, judged and asked in the shell."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tests import tiny

from manyheads.cli.heads_file import HeadsData, read_heads_file
from manyheads.cli.options import TaskKind
from manyheads.errors import DataError

Shell = Callable[..., CompletedProcess[str]]

FILE = """
data = "all.csv"
temperature = 2.0

[heads.mood]
label = "mood"

[heads.score]
label = "length"

[heads.names]
data = "names.jsonl"
weight = 2
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    with (folder / "all.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "mood", "length"])
        writer.writerows([text, mood, len(text) / 2] for text, mood in tiny.mood_rows(60))
    rows = (json.dumps({"text": text, "label": spans}) for text, spans in tiny.named_rows(30))
    (folder / "names.jsonl").write_text("\n".join(rows), encoding="utf-8")
    (folder / "heads.toml").write_text(FILE, encoding="utf-8")
    return folder / "heads.toml"


@pytest.fixture(scope="module")
def trained(shell: Shell, file: Path, scratch: tuple[str, ...]) -> Path:
    out = file.parent / "out"
    settings = ("--set", "epochs=3", "--set", "batch_size=8")
    done = shell("train", file, *scratch, *settings, "--out", out)
    assert done.returncode == 0, done.stderr
    for line in ("mean ", "mood.accuracy", "names.f1", "score.pearson", "baselines"):
        assert line in done.stdout
    assert "mood\n  text   column 'text'" in done.stderr
    return out


def test_all_heads_are_in_one_folder(trained: Path) -> None:
    report = json.loads((trained / "run" / "report.json").read_text())
    assert set(report["scores"]["heads"]) == {"mood", "score", "names"}
    assert "mood train: 54 rows" in (trained / "README.md").read_text()
    page = (trained / "report.html").read_text()
    assert "Many-heads" in page and "mood.accuracy" in page
    arguments = json.loads((trained / "run" / "arguments.json").read_text())
    assert arguments["lessons"]["weights"] == {"mood": 1.0, "score": 1.0, "names": 2.0}


def test_all_heads_answer(shell: Shell, trained: Path, tmp_path: Path) -> None:
    asked = ("Anna met Béla in Rome.", "今天去图书馆")
    done = shell("predict", trained, *asked)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [lines[0], lines[4]] == list(asked)
    assert [line.split()[0] for line in lines[1:4]] == ["mood", "score", "names"]
    documents = json.loads(shell("predict", trained, *asked, "--json").stdout)["predictions"]
    assert documents[0]["text"] == asked[0]
    assert documents[0]["heads"]["names"]["prediction"][0]["text"] == "Anna"
    table, out = tmp_path / "new.csv", tmp_path / "out.csv"
    table.write_text("text,mine\nlovely and great,1\n", encoding="utf-8")
    assert shell("predict", trained, "--file", table, "--out", out).returncode == 0
    with out.open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == ["text", "mine", "mood", "mood_probability", "score", "names"]


def test_all_heads_are_judged_and_described(shell: Shell, trained: Path, file: Path) -> None:
    done = shell("evaluate", trained, file, "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["scores"]["heads"]) == {"mood", "score", "names"}
    wrong = shell("evaluate", trained, file.parent / "all.csv", "--label", "mood")
    assert wrong.returncode == 2 and len(wrong.stderr.splitlines()) == 1
    assert "do not say which head they are for" in wrong.stderr
    assert "mood classification (bad, good)" in shell("info", trained).stdout


def read(path: Path, text: str) -> HeadsData:
    path.write_text(text, encoding="utf-8")
    return read_heads_file(path, 0.1, None, 0)


def test_kinds_follow_from_labels(file: Path) -> None:
    data = read_heads_file(file, 0.1, 0.1, 0)
    assert data.kinds == {
        "mood": TaskKind.CLASSIFICATION,
        "score": TaskKind.REGRESSION,
        "names": TaskKind.TAGGING,
    }
    sets = data.sets()
    for name in ("train", "valid", "test"):
        mood, score = (getattr(sets[head], name) for head in ("mood", "score"))
        assert mood.rows == score.rows
    assert data.temperature == 2.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no heads"),
        ("[heads.a]\n[heads.a]", "not valid TOML"),
        ("[heads.a]", "head 'a' has no data"),
        ("[heads]\na = 3", "head 'a' is 3"),
        ('[heads.a]\ndata = "all.csv"\nlabels = "mood"', "unknown key 'labels'. Did you mean"),
        ('datum = "x"\n[heads.a]', "unknown key 'datum'. Did you mean 'data'"),
        ('[heads.a]\ndata = "all.csv"\nweight = 0', "weight=0"),
        ('temperature = -1\n[heads.a]\ndata = "all.csv"', "temperature=-1"),
        ('[heads.a]\ndata = "all.csv"\ntask = "embedding"', "task='embedding' is none of"),
        ('[heads.a]\ndata = "none.csv"', "none.csv"),
        ('data = "all.csv"\n[heads.a]\n[heads.b]\nlabel = "mood"', "head 'a' shares"),
        ('[heads.a]\ndata = "all.csv"\nlabel = "moods"', "moods"),
        ('text = ["x"]\n[heads.a]\ndata = "all.csv"', "head 'a': text=['x'] must be"),
        ('[heads.a]\ndata = "all.csv"\nlabel = true', "head 'a': label=True must be"),
        ('[heads.a]\ndata = "all.csv"\npair = 1.5', "head 'a': pair=1.5 must be"),
        ('encoding = 3\n[heads.a]\ndata = "all.csv"', "head 'a': encoding=3 must be"),
        ("[heads.a]\ndata = 3", "head 'a': data=3 must be"),
        ('[heads.a]\ndata = "all.csv"\nvalid = 1.5', "head 'a': valid=1.5 must be"),
        ('[heads.a]\ndata = "all.csv"\ntest = false', "head 'a': test=False must be"),
        ('[heads.a]\ndata = "all.csv"\ntask = ["x"]', "task=['x'] is none of"),
        ('temperature = true\n[heads.a]\ndata = "all.csv"', "temperature=True"),
    ],
)
def test_what_a_file_says_wrongly_is_named(file: Path, text: str, said: str) -> None:
    with pytest.raises(DataError) as raised:
        read(file.parent / "wrong.toml", text)
    assert said in str(raised.value) and "\n" not in str(raised.value)


def test_shares_of_the_rows_may_be_said(file: Path) -> None:
    path = file.parent / "shares.toml"
    text = 'valid = 0.2\n[heads.a]\ndata = "all.csv"\nlabel = "mood"\ntest = 0.5'
    sizes = [len(split) for split in read(path, text).splits()]
    assert sizes == [18, 12, 30]
    nothing = read_heads_file(path, 0.0, 0.0, 0)  # as `evaluate` asks
    assert [split.name for split in nothing.splits()] == ["train"]


def test_columns_may_be_numbers(file: Path) -> None:
    (file.parent / "bare.csv").write_text("lovely,good,3\nawful,bad,4\n", encoding="utf-8")
    heads = 'data = "bare.csv"\ntext = 0\n[heads.a]\nlabel = 1\n[heads.b]\nlabel = 2'
    data = read(file.parent / "numbers.toml", heads)
    assert data.train.columns["label"] == ["good", "bad", 3, 4]


def test_heads_may_share_a_folder_of_splits(file: Path) -> None:
    folder = file.parent / "splits"
    folder.mkdir()
    for name in ("train.csv", "test.csv"):
        (folder / name).write_bytes((file.parent / "all.csv").read_bytes())
    heads = 'data = "splits"\n[heads.a]\nlabel = "mood"\n[heads.b]\nlabel = "length"'
    data = read(file.parent / "folder.toml", heads)
    assert [len(split) for split in data.splits()] == [108, 12, 120]


def test_data_for_all_heads_cannot_be_one_table(file: Path) -> None:
    with pytest.raises(DataError, match=r"--test other\.csv names data for all heads"):
        read_heads_file(file, 0.1, "other.csv", 0)


def test_columns_and_tasks_are_said_in_the_file(
    shell: Shell, file: Path, scratch: tuple[str, ...]
) -> None:
    done = shell("train", file, *scratch, "--label", "mood")
    assert done.returncode == 2 and "say it for the heads in" in done.stderr
    done = shell("train", file, *scratch, "--task", "tagging")
    assert done.returncode == 2 and "say it for the heads in the file" in done.stderr
    done = shell("train", file, *scratch, "--calibrate")
    assert done.returncode == 2
    assert "head 'score': --calibrate is for classification, image-classification" in done.stderr
