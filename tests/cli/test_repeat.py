"""`manyheads train --from RUN` trains a run once more, to the same bits, or says why it cannot."""

from __future__ import annotations

import json

from manyheads.cli.run_folder import RunFolder, located


def test_a_run_is_repeated_to_the_same_bits(shell, table, scratch, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    settings = ("--set", "epochs=2", "--seed", "3", "--class-weights", "balanced")
    done = shell("train", table, *scratch, *settings, "--clean", "html", "--out", first, "--quiet")
    assert done.returncode == 0, done.stderr
    done = shell("train", "--from", first, "--out", second, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bits may differ" not in done.stderr
    for name in ("model.safetensors", "manyheads.json", "tokenizer.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    one, other = (json.loads((out / "run/report.json").read_text()) for out in (first, second))
    assert one == other == json.loads(done.stdout)["evaluation"]
    assert (first / "run/arguments.json").read_text() == (second / "run/arguments.json").read_text()


def test_other_data_are_refused_and_moved_ones_found(shell, table, scratch, tmp_path):
    first, moved = tmp_path / "first", tmp_path / "moved.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table = tmp_path / "table.csv"  # other tests read the one that all share
    for path in (table, moved):
        path.write_text("".join(lines), encoding="utf-8")
    done = shell("train", table, *scratch, "--set", "epochs=1", "--out", first, "--quiet")
    assert done.returncode == 0, done.stderr
    table.write_text("".join(lines[:-1]), encoding="utf-8")
    for what in (("--out", tmp_path / "second"), ("--plan",)):
        done = shell("train", "--from", first, *what, "--quiet")
        assert done.returncode == 2
        assert "the data are not those of the run" in done.stderr and done.stderr.count("\n") == 1
    done = shell("train", moved, "--from", first, "--out", tmp_path / "second", "--quiet")
    assert done.returncode == 0, done.stderr


def test_a_run_is_repeated_from_another_folder(shell, write, scratch, tmp_path):
    for name in ("train.csv", "test.csv"):
        write(tmp_path / name, [("good", "a"), ("bad", "b")] * 8, header=("text", "label"))
    told = ("train", "train.csv", "--test", "test.csv", *scratch, "--set", "epochs=1", "--quiet")
    done = shell(*told, "--out", "first", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = tmp_path / "first", tmp_path / "second"
    done = shell("train", "--from", first, "--out", second, "--quiet", cwd=tmp_path / "first")
    assert done.returncode == 0, done.stderr
    for name in ("arguments.json", "recipe.json"):
        assert (first / "run" / name).read_text() == (second / "run" / name).read_text()


def test_a_finished_run_has_nothing_left_to_do_for_its_own_data_alone(
    shell, write, scratch, tmp_path
):
    rows = [("good", "a", "x"), ("bad", "b", "y")] * 8
    write(tmp_path / "train.csv", rows, header=("text", "first", "second"))
    heads = tmp_path / "heads.toml"
    heads.write_text('data = "train.csv"\n[heads.topic]\nlabel = "first"\n')
    command = ("train", heads, *scratch, "--set", "epochs=1", "--quiet", "--out", tmp_path / "out")
    assert shell(*command).returncode == 0
    done = shell(*command, "--resume")
    assert done.returncode == 0 and "there is nothing left to do" in done.stderr
    heads.write_text('data = "train.csv"\n[heads.topic]\nlabel = "second"\n')
    done = shell(*command, "--resume")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stdout == ""
    assert "the data are not those of the run" in done.stderr and "train: " in done.stderr


def test_paths_are_kept_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("scratch", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "link.gguf").symlink_to("mine")
    typed = {"data": "a.csv", "valid": "0.1", "test": "b.csv"}
    for model, kept in {
        "scratch": "scratch",
        "mine": str(tmp_path / "mine"),
        "link.gguf": str(tmp_path / "link.gguf"),
        "package:some/model": "package:some/model",
        "owner/name": "owner/name",
    }.items():
        found = located(typed | {"model": model})
        assert found == {
            "data": str(tmp_path / "a.csv"),
            "valid": "0.1",
            "test": str(tmp_path / "b.csv"),
            "model": kept,
        }
        assert located(found) == found
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run/arguments.json").write_text(json.dumps(typed | {"model": model}))
        RunFolder(tmp_path).require_same(found, {})  # of a version that kept what was typed


def test_other_versions_are_told(shell, table, scratch, tmp_path):
    first = tmp_path / "first"
    shell("train", table, *scratch, "--set", "epochs=1", "--out", first, "--quiet")
    facts = json.loads((first / "run/facts.json").read_text())
    facts["versions"]["torch"] = "1.0"
    (first / "run/facts.json").write_text(json.dumps(facts))
    done = shell("train", "--from", first, "--out", tmp_path / "second")
    assert done.returncode == 0
    assert "the bits may differ: torch: 1.0 →" in done.stderr


def test_no_run_and_the_run_itself_are_refused(shell, table, scratch, tmp_path):
    done = shell("train", "--from", tmp_path, "--out", tmp_path / "second")
    assert done.returncode == 2 and "holds no run of manyheads" in done.stderr
    first = tmp_path / "first"
    shell("train", table, *scratch, "--set", "epochs=1", "--out", first, "--quiet")
    done = shell("train", "--from", first, "--out", first)
    assert done.returncode == 2 and "is the run itself" in done.stderr


def test_what_is_given_beside_a_run_is_refused(shell, table, scratch, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    shell("train", table, *scratch, "--set", "epochs=1", "--out", first, "--quiet")
    for given, name in (
        (("--text", "review"), "--text"),
        (("--set", "epochs=2"), "--set"),
        (("--seed", "1"), "--seed"),
        (("--folds", "2"), "--folds"),
    ):
        done = shell("train", "--from", first, *given, "--out", second)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert done.stderr.strip().endswith(f"repeats a run as it was; leave {name} out")
    assert not second.exists()
    estimated = shell("train", "--from", first, "--estimate", "--quiet", "--json")
    assert json.loads(estimated.stdout)["runs"] == 1, estimated.stderr


def test_nothing_to_learn_from_is_refused(shell):
    done = shell("train", "--out", "model")
    assert done.returncode == 2
    assert "name DATA, or a run to repeat by --from" in done.stderr
