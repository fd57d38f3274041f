"""Images by the command line: trained, evaluated, asked, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")

SMALL = ("--layers", 1, "--width", 16, "--heads", 2, "--set", "epochs=8", "--set", "batch_size=8")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark and bright pictures, by class."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    draw = np.random.default_rng(0)
    for name, low in (("dark", 0), ("bright", 150)):
        (folder / name).mkdir(parents=True)
        for number in range(30):
            pixels = draw.integers(low, low + 100, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def model(shell, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor that the command line trained; the folder alone says that these are images."""
    out = tmp_path_factory.mktemp("out") / "model"
    fast = ("--set", "learning_rate=0.003", "--augment", "shift", "--augment", "flip")
    done = shell("train", photos, *SMALL, *fast, "--test", "0.2", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["evaluation"]["scores"]["accuracy"] > 0.9
    return out


def test_the_folder_is_whole(model: Path):
    assert {"preprocessor_config.json", "manyheads.json"} <= {one.name for one in model.iterdir()}


def test_files_as_arguments(shell, model: Path, photos: Path):
    files = [photos / "dark/00.png", photos / "bright/00.png"]
    done = shell("predict", model, *files)
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["dark", "bright"]
    document = json.loads(shell("predict", model, *files, "--json").stdout)
    assert document["predictions"][0]["image"] == str(files[0])


def test_a_table_of_files_from_its_folder(shell, model: Path, photos: Path):
    table = photos.parent / "table.csv"
    table.write_text("id,image,kind\n7,photos/dark/01.png,dark\n8,photos/bright/01.png,bright\n")
    done = shell("predict", model, "--file", table, "--out", "-")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["prediction"] for answer in answers] == ["dark", "bright"]
    done = shell("evaluate", model, table, "--label", "kind", "--json")
    assert json.loads(done.stdout)["scores"]["accuracy"] == 1.0


def test_a_folder_is_evaluated_and_checked(shell, model: Path, photos: Path):
    done = shell("evaluate", model, photos, "--json")
    assert json.loads(done.stdout)["scores"]["count"] == 60
    done = shell("check", photos)
    assert done.returncode == 0, done.stderr
    assert "train: one folder per class" in done.stdout
    facts = json.loads(shell("info", model, "--json").stdout)
    assert facts["task"] == "image-classification"
    assert "cleaning" not in facts


def test_broken_images_are_refused_or_dropped(shell, photos: Path, tmp_path: Path):
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos/dark/00.png").write_bytes(b"no image")
    done = shell("check", tmp_path / "photos")
    assert done.returncode == 2
    assert "dark/00.png: not an image" in done.stderr and "1 of 60 images" in done.stderr
    done = shell("check", tmp_path / "photos", "--drop-broken")
    assert done.returncode == 0, done.stderr
    assert "train: 1 image that cannot be decoded dropped" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "photos", "--text", "x"), "--text x is for texts"),
        (("train", "photos", "--task", "classification"), "have no texts"),
        (("train", "photos", "--vocabulary", "300"), "--vocabulary is for models of texts"),
        (("train", "photos", "--augment", "none", "--augment", "flip"), "--augment none"),
        (("train", "photos", "--language", "zh"), "--language is for"),
        (("train", "texts.csv", "--augment", "flip"), "--augment is for image-classification"),
        (("train", "texts.csv", "--model", "scratch", "--patch", "4"), "--patch is for models"),
        (("train", "texts.csv", "--task", "image-classification"), "no such file"),
        (("predict", "MODEL", "nowhere.png"), "nowhere.png: no such file"),
        (("predict", "MODEL", "--file", "texts.csv", "--pair", "label"), "reads no pairs"),
    ],
)
def test_what_does_not_fit_is_one_line(shell, model, photos, tmp_path, arguments, said):
    (tmp_path / "photos").symlink_to(photos)
    (tmp_path / "texts.csv").write_text("text,label\ngood,a\nbad,b\n")
    done = shell(*(model if one == "MODEL" else one for one in arguments), cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("manyheads: ")
    assert said in line
