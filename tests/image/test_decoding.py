"""Images as files have them: every mode, every way up, and what is broken."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import ImageError, MissingExtra
from manyheads.image import decode, fault_of, image_key

Image = pytest.importorskip("PIL.Image")

RED, WHITE = (255, 0, 0), (255, 255, 255)


def first_pixel(image) -> object:
    return decode(image).getpixel((0, 0))


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 77, 77),
        ("1", 1, 255),
        ("LA", (77, 255), 77),
        ("LA", (77, 0), 255),
        ("RGB", RED, RED),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", (*RED, 0), WHITE),
        ("CMYK", (0, 255, 255, 0), RED),
        ("HSV", (0, 255, 255), RED),
    ],
)
def test_every_mode_becomes_grey_or_rgb(mode, colour, expected):
    assert first_pixel(Image.new(mode, (2, 3), colour)) == expected


def test_half_transparent_colours_are_mixed_with_white():
    assert first_pixel(Image.new("RGBA", (1, 1), (0, 0, 0, 128))) == (127, 127, 127)


@pytest.mark.parametrize("transparent", [False, True])
def test_a_palette_is_looked_up(tmp_path: Path, transparent: bool):
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, *RED])
    image.save(tmp_path / "x.png", **({"transparency": 1} if transparent else {}))
    assert first_pixel(tmp_path / "x.png") == (WHITE if transparent else RED)


def test_sixteen_bits_keep_their_range(tmp_path: Path):
    """65,535 is white; torn off at 255, nearly all of the image would be."""
    values = np.array([[0, 257, 128 * 257, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    assert np.asarray(decode(tmp_path / "x.png")).tolist() == [[0, 1, 128, 255]]


def test_an_image_is_turned_as_its_camera_was_held(tmp_path: Path):
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image.save(tmp_path / "x.png", exif=exif)
    assert np.asarray(decode(tmp_path / "x.png")).tolist() == [[120, 0], [160, 40], [200, 80]]


def test_the_first_image_of_an_animation(tmp_path: Path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, WHITE)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert first_pixel(tmp_path / "x.gif") == RED


def test_arrays_and_bytes_are_images_too():
    array = np.array([[1, 2], [3, 4]], dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    for source in (array, array[:, :, None], buffer.getvalue()):
        assert np.asarray(decode(source)).tolist() == array.tolist()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2)),
        np.zeros((2, 2), dtype=np.int64),
        np.zeros((3, 2, 2), dtype=np.uint8),
        np.zeros(4, dtype=np.uint8),
        np.zeros((0, 4), dtype=np.uint8),
    ],
)
def test_other_arrays_are_no_images(array):
    with pytest.raises(ImageError, match="is no image; images in memory are"):
        decode(array)


def test_files_that_are_broken_are_named(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for name in ("cut.jpg", "cut.png"):
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, "JPEG" if name.endswith("jpg") else "PNG")
        whole = buffer.getvalue()
        assert fault_of(whole) is None
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("cut.jpg", "cut.png", "text.png", "empty.png", "nowhere.png"):
        fault = fault_of(tmp_path / name)
        assert fault is not None and fault.startswith(f"{tmp_path / name}: ")
        with pytest.raises(ImageError, match=name):
            decode(tmp_path / name)


def test_pixels_without_a_range_are_refused():
    with pytest.raises(ImageError, match="floating-point"):
        decode(Image.new("F", (2, 2), 0.5))


def test_what_is_no_image_at_all():
    with pytest.raises(ImageError, match="'int' is no image"):
        decode(3)


def test_equal_images_have_equal_keys(tmp_path: Path):
    for name, value in (("a.png", 1), ("b.png", 1), ("c.png", 2)):
        Image.new("L", (2, 2), value).save(tmp_path / name)
    a, b, c = (image_key(tmp_path / name) for name in ("a.png", "b.png", "c.png"))
    assert a == b != c
    assert image_key(np.zeros((2, 3), np.uint8)) != image_key(np.zeros((3, 2), np.uint8))


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtra, match=r"manyheads\[image\]"):
        decode("photo.png")
