"""`read_images`: folders, tables, arrays and IDX files, written here and read again."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

import manyheads as mh
from manyheads.data import holds_images
from manyheads.errors import DataError

Image = pytest.importorskip("PIL.Image")

DRAW = np.random.default_rng(0)


def noise(*shape: int) -> np.ndarray:
    return DRAW.integers(0, 256, shape).astype(np.uint8)


def folder_of(path: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 3) -> Path:
    """Write `count` images for each class, in several formats."""
    for name in classes:
        (path / name).mkdir(parents=True)
        for number in range(count):
            suffix = ("png", "jpg", "gif")[number % 3]
            Image.fromarray(noise(6, 5, 3)).save(path / name / f"{number}.{suffix}")
    return path


def write_idx(path: Path, array: np.ndarray) -> None:
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    content = head + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_one_folder_for_each_class(tmp_path: Path):
    folder = folder_of(tmp_path / "photos")
    (folder / "cat" / "Thumbs.db").write_bytes(b"x")
    data = mh.read_images(folder, valid=0)
    assert data.train.columns["label"] == ["cat"] * 3 + ["dog"] * 3
    assert data.train.describe(1) == f"{folder}/cat/1.jpg"
    assert data.train.shown(1) == str(folder / "cat" / "1.jpg")
    assert "train: one folder per class; other files left out: 1" in data.notes
    assert holds_images(str(folder))


def test_a_folder_may_be_named_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder_of(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    images = mh.read_images("photos", valid=0).train.columns["image"]
    assert images[0] == Path("photos/cat/0.png")


def test_one_folder_for_each_split(tmp_path: Path):
    folder_of(tmp_path / "data" / "train", count=4)
    folder_of(tmp_path / "data" / "val", count=2)
    folder_of(tmp_path / "data" / "test", count=1)
    data = mh.read_images(tmp_path / "data")
    assert [len(split) for split in data.splits()] == [8, 4, 2]
    assert holds_images(str(tmp_path / "data"))


def test_a_class_may_be_called_train(tmp_path: Path):
    data = mh.read_images(folder_of(tmp_path / "vehicles", ("bus", "train")), valid=0)
    assert set(data.train.columns["label"]) == {"bus", "train"}


def test_folders_of_texts_hold_no_images(tmp_path: Path):
    (tmp_path / "spam").mkdir()
    (tmp_path / "spam" / "1.txt").write_text("text")
    assert not holds_images(str(tmp_path))
    assert not holds_images(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_table_of_paths_from_its_own_folder(tmp_path: Path, ending: str):
    pandas = pytest.importorskip("pandas")
    folder_of(tmp_path / "photos")
    frame = pandas.DataFrame(
        {"file_name": ["photos/cat/0.png", "photos/dog/1.jpg"], "kind": [3, 4]}
    )
    path = tmp_path / f"table.{ending}"
    match ending:
        case "csv":
            frame.to_csv(path, index=False)
        case "jsonl":
            frame.to_json(path, orient="records", lines=True)
        case "parquet":
            frame.to_parquet(path)
    data = mh.read_images(path, label="kind", valid=0)
    assert data.train.columns["label"] == [3, 4]
    assert data.train.columns["image"][0] == tmp_path / "photos/cat/0.png"
    assert "columns chosen by their names: image='file_name'" in data.notes


def test_images_as_hugging_face_datasets_hold_them(tmp_path: Path):
    content = (folder_of(tmp_path / "photos") / "cat" / "0.png").read_bytes()
    rows = {"image": [{"bytes": content, "path": None}] * 2, "label": [0, 1]}
    assert mh.read_images(rows, valid=0).train.columns["image"] == [content, content]


@pytest.mark.parametrize("shape", [(20, 4, 5), (20, 4, 5, 3)])
def test_arrays_in_memory_are_not_copied(shape: tuple[int, ...]):
    images, labels = noise(*shape), np.arange(20) % 2
    data = mh.read_images((images, labels), valid=0.2, test=(images[:5] // 2, labels[:5]))
    assert [len(split) for split in data.splits()] == [16, 4, 5]
    assert all(np.shares_memory(one, images) for one in data.train.columns["image"])
    assert set(data.train.columns["label"]) == {0, 1}


def test_equal_images_stay_on_one_side():
    images = np.repeat(noise(20, 4, 4), 3, axis=0)
    data = mh.read_images((images, np.arange(60) // 3 % 2), valid=0.3)
    keys = [{one.tobytes() for one in split.columns["image"]} for split in data.splits()]
    assert keys[0] and keys[1] and not keys[0] & keys[1]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_as_mnist_has_them(tmp_path: Path, ending: str):
    written = {}
    for name, count in (("train", 6), ("t10k", 4)):
        written[name] = noise(count, 3, 4), noise(count)
        write_idx(tmp_path / f"{name}-images-idx3-ubyte{ending}", written[name][0])
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte{ending}", written[name][1])
    data = mh.read_images(tmp_path, valid=0)
    for split, name in ((data.train, "train"), (data.test, "t10k")):
        assert np.array_equal(np.stack(split.columns["image"]), written[name][0])
        assert split.columns["label"] == written[name][1].tolist()
    assert holds_images(str(tmp_path))


def test_idx_files_that_do_not_fit(tmp_path: Path):
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    write_idx(images, noise(5, 2, 2))
    with pytest.raises(DataError, match="train-labels-idx1-ubyte: no such file"):
        mh.read_images(tmp_path)
    write_idx(labels, noise(4))
    with pytest.raises(DataError, match="do not belong"):
        mh.read_images(tmp_path)
    write_idx(labels, noise(5))
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(DataError, match="damaged IDX file"):
        mh.read_images(tmp_path)


def test_broken_images_are_refused_counted_or_left_to_be_found(tmp_path: Path):
    folder = folder_of(tmp_path / "photos")
    for name in ("cat/0.png", "dog/1.jpg"):
        (folder / name).write_bytes((folder / name).read_bytes()[:60])
    with pytest.raises(DataError) as caught:
        mh.read_images(folder)
    said = str(caught.value)
    assert said.startswith(f"{folder}/cat/0.png: ")
    assert "2 of 6 images are broken" in said and "drop_broken=True" in said
    dropped = mh.read_images(folder, drop_broken=True, valid=0)
    assert len(dropped.train) == 4
    assert "train: 2 images that cannot be decoded dropped" in dropped.notes
    assert len(mh.read_images(folder, drop_broken=None, valid=0).train) == 6


def test_a_file_that_is_not_there_is_broken_too(tmp_path: Path):
    (tmp_path / "table.csv").write_text("image,label\nnowhere.png,a\n")
    with pytest.raises(DataError, match=r"nowhere\.png: no such file; 1 of 1 images"):
        mh.read_images(tmp_path / "table.csv")


def test_hidden_files_and_folders_are_no_images(tmp_path: Path):
    folder = folder_of(tmp_path / "photos")
    (folder / "cat" / "._0.png").write_bytes(b"of a Mac")
    checkpoints = folder / "dog" / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "0-checkpoint.png").write_bytes((folder / "dog" / "0.png").read_bytes())
    data = mh.read_images(folder, valid=0)
    assert len(data.train) == 6
    assert "train: one folder per class" in data.notes
    hidden_above = folder_of(tmp_path / ".cache" / "photos")
    assert len(mh.read_images(hidden_above, valid=0).train) == 6


def test_a_row_without_an_image_is_broken(tmp_path: Path):
    folder_of(tmp_path / "photos")
    path = tmp_path / "table.csv"
    path.write_text("image,label\nphotos/cat/0.png,a\n,a\nphotos/dog/0.png,b\n")
    for drop in (False, None):
        with pytest.raises(DataError) as caught:
            mh.read_images(path, drop_broken=drop)
        assert str(caught.value) == (
            f"{path}, line 3: nothing in column 'image'; 1 of 3 images are broken, leave them out "
            "with drop_broken=True (--drop-broken)"
        )
    data = mh.read_images(path, drop_broken=True, valid=0)
    assert data.train.rows == [2, 4]
    assert "train: 1 image that cannot be decoded dropped" in data.notes
    absent = {"image": [None, float("nan"), {"bytes": None, "path": None}], "label": ["a"] * 3}
    with pytest.raises(DataError, match="every image is broken"):
        mh.read_images(absent, drop_broken=True)


def test_what_holds_no_images_is_said(tmp_path: Path):
    with pytest.raises(DataError, match="holds 'float'"):
        mh.read_images({"image": [0.5], "label": ["a"]})
    with pytest.raises(DataError, match="which column holds the images"):
        mh.read_images({"a": [b"x"], "b": [b"y"]})
    with pytest.raises(DataError, match="1 of 2 rows have no label"):
        mh.read_images({"image": list(noise(2, 3, 3)), "label": ["a", None]})


def test_check_finds_what_is_wrong_with_images():
    images = noise(40, 4, 4)
    images[1], images[3] = images[0], images[2]
    labels = np.arange(40) % 2
    labels[1] = labels[0]
    data = mh.read_images((images, labels), valid=(images[:2], labels[:2]))
    kinds = {finding.kind: finding for finding in mh.check(data).findings}
    assert "the same image" in kinds["duplicate"].message
    assert kinds["conflict"].message == "1 image with different labels"
    assert "have an image of train" in kinds["leakage"].message
    assert not kinds.keys() & {"empty", "scripts", "no_letters"}
