"""`manyheads train` and `find-lr` from the outside."""

from __future__ import annotations

import json

import pytest

from manyheads.cli.output import plain


def read_json(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_run_leaves_a_predictor_pictures_and_its_record(shell, table, scratch, tmp_path):
    out = tmp_path / "model"
    done = shell("train", table, *scratch, "--set", "epochs=2", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    document = read_json(done.stdout)
    assert document["out"] == str(out)
    assert document["labels"] == ["neg", "pos"]
    assert document["evaluation"]["split"] == "valid"
    assert 0 <= document["evaluation"]["scores"]["accuracy"] <= 1
    assert document["evaluation"]["baseline"]["accuracy"] > 0.5
    assert "column 'text'" in done.stderr
    assert "validation" in done.stderr

    for name in ("manyheads.json", "config.json", "model.safetensors", "tokenizer.json"):
        assert (out / name).is_file()
    for name in ("training-curve.png", "confusion-matrix.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 2 and "bag of words" in page
    assert (out / "README.md").read_text(encoding="utf-8").startswith("---\nlibrary_name:")
    run = out / "run"
    assert not (run / "checkpoints").exists()
    assert read_json((run / "recipe.json").read_text())["epochs"] == 2
    assert read_json((run / "report.json").read_text()) == document["evaluation"]
    lines = [read_json(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    assert [step["number"] for step in steps] == list(range(1, document["steps"] + 1))
    assert sum(line["kind"] == "validation" for line in lines) == 2
    leftovers = [path.name for path in out.rglob(".*")]
    assert leftovers == []


def test_a_report_for_people_stands_alone_on_stdout(shell, table, scratch, tmp_path):
    done = shell("train", table, *scratch, "--set", "epochs=1", "--quiet", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "bag of words" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_published_model_and_a_recipe_file(shell, table, tiny_bert, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('epochs = 1\nschedule = "cosine"\nmax_tokens = 16\n')
    done = shell(
        *("train", table, "--model", tiny_bert, "--recipe", recipe, "--set", "batch_size=8"),
        *("--class-weights", "balanced", "--label-smoothing", "0.1", "--clean", "html"),
        *("--test", "0.2", "--out", tmp_path / "model", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert read_json(done.stdout)["evaluation"]["split"] == "test"
    facts = read_json(shell("info", tmp_path / "model", "--json").stdout)
    assert facts["family"] == "bert"
    assert facts["cleaning"]["html"] is True
    assert facts["truncation"]["max_tokens"] == 16


def test_lists_of_labels_mean_multi_label(shell, scratch, tmp_path):
    rows = [
        {"text": f"the {'great ' * (n % 2)}film {n}", "label": tags}
        for n, tags in enumerate([["a"], ["a", "b"], [], ["b"]] * 6)
    ]
    source = tmp_path / "tags.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = shell("train", source, *scratch, "--set", "epochs=1", "--out", tmp_path / "m", "--json")
    assert done.returncode == 0, done.stderr
    assert "micro_f1" in read_json(done.stdout)["evaluation"]["scores"]
    document = read_json(shell("predict", tmp_path / "m", "a great film", "--json").stdout)
    (answer,) = document["predictions"]
    assert isinstance(answer["prediction"], list)
    assert set(answer["probabilities"]) == {"a", "b"}


def test_regression(shell, write, scratch, tmp_path):
    rows = [(f"the {'great ' * (n % 4)}film {n}", n % 4 + 0.5) for n in range(24)]
    source = write(tmp_path / "stars.csv", rows)
    out = tmp_path / "m"
    arguments = ("train", source, *scratch, "--set", "epochs=1", "--out", out, "--json")
    done = shell(*arguments, "--task", "regression")
    assert done.returncode == 0, done.stderr
    assert "root_mean_squared_error" in read_json(done.stdout)["evaluation"]["scores"]
    document = read_json(shell("predict", out, "a great film", "--json").stdout)
    assert isinstance(document["predictions"][0]["prediction"], float)


def test_unusual_input_that_works(shell, write, scratch, tmp_path):
    """Labels {0, 4}, a text of 1 MB, a text of no length, and halves of characters cleaned away."""
    rows = [(f"{'great' if n % 2 else 'sad'} film {n}", 4 * (n % 2)) for n in range(20)]
    rows += [("word " * 200_000, 0), ("", 4)]
    done = shell(
        *("train", write(tmp_path / "t.csv", rows), *scratch, "--set", "epochs=1"),
        *("--clean", "surrogates", "--out", tmp_path / "m", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert read_json(done.stdout)["labels"] == ["0", "4"]
    lines = ["", "x " * 500_000]
    done = shell("predict", tmp_path / "m", "--json", stdin="\n".join(lines).encode())
    answers = read_json(done.stdout)["predictions"]
    assert [answer["truncated"] > 0 for answer in answers] == [False, True]


def test_without_matplotlib_a_run_ends_well(shell, table, scratch, tmp_path):
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "matplotlib.py").write_text("raise ImportError('hidden')")
    out = tmp_path / "model"
    done = shell(
        *("train", table, *scratch, "--set", "epochs=1", "--out", out),
        before=[tmp_path / "hidden"],
    )
    assert done.returncode == 0, done.stderr
    notices = [line for line in done.stderr.splitlines() if "manyheads[plot]" in line]
    assert len(notices) == 1
    assert (out / "manyheads.json").is_file()
    assert not list(out.glob("*.png"))
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "There are no pictures" in page and "<img" not in page


def test_the_readme_of_somebody_else_is_left_as_it_is(shell, table, scratch, tmp_path):
    out = tmp_path / "model"
    arguments = ("train", table, *scratch, "--set", "epochs=1", "--out", out)
    assert shell(*arguments).returncode == 0
    (out / "README.md").write_text("Mine.\n")
    again = shell(*arguments)
    assert again.returncode == 0 and "was left as it is" in again.stderr
    assert (out / "README.md").read_text() == "Mine.\n"


def test_evaluate_writes_a_page_with_slices_of_a_further_column(shell, write, trained, tmp_path):
    rows = [
        (f"a {'great' if n % 2 else 'sad'} film", ["neg", "pos"][n % 2], "xy"[n % 3 == 0])
        for n in range(30)
    ]
    source = write(tmp_path / "asked.csv", rows, ("text", "label", "origin"))
    page = tmp_path / "page.html"
    asked = ("evaluate", trained, source, "--text", "text", "--label", "label", "--slice", "origin")
    done = shell(*asked, "--report", page, "--json")
    assert done.returncode == 0, done.stderr
    assert "<td>origin</td>" in page.read_text(encoding="utf-8")
    refused = shell(*asked)
    assert refused.returncode == 2 and "--report FILE.html" in refused.stderr


def test_find_lr_suggests_a_rate_and_draws_it(shell, table, scratch, tmp_path):
    plot = tmp_path / "rates.png"
    done = shell("find-lr", table, *scratch, "--plot", plot, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    document = read_json(done.stdout)
    assert 1e-7 < document["suggestion"] < 1
    assert len(document["rates"]) == len(document["losses"])
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_find_lr_can_raise_the_rate_in_one_run(shell, table, scratch):
    done = shell("find-lr", table, *scratch, "--range-test", "--steps", 40, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "suggested learning rate" in done.stdout
    refused = shell("find-lr", table, *scratch, "--steps", 40)
    assert refused.returncode == 2 and "--range-test" in refused.stderr


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        ({"a": (1, float("inf"))}, {"a": [1, None]}),
        ([True, None, "x", 2.5], [True, None, "x", 2.5]),
    ],
)
def test_json_holds_nothing_that_json_has_not(value, expected):
    assert plain(value) == expected


def test_a_plan_says_what_memory_training_takes_and_trains_nothing(shell, table, scratch, tmp_path):
    asked = ("train", table, *scratch, "--plan", "--out", tmp_path / "model")
    done = shell(*asked, "--set", "memory=free")
    assert done.returncode == 0, done.stderr
    assert "kept for gradients" in done.stdout and "largest batch" in done.stdout
    assert not (tmp_path / "model").exists()
    document = read_json(shell(*asked, "--json", "--quiet").stdout)
    assert document["peak"] > document["held"] > 0
    assert document["fits"] is True
