"""Images: decoded from files, bytes and arrays, and made ready for a model as its folder says.

    decode(source)                          any image, as grey or RGB in 8 bits, upright
    Preparation.pixels(source)              (C, H, W): the kind and the size that a model reads
    preparation_of(preprocessor_config, …)  a `Preparation` as published folders describe it

Nothing here imports torch; Pillow is asked for where an image has to be decoded or resized. Names
are imported when first used, so that readers of texts do not wait for numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from manyheads._lazy import lazy

if TYPE_CHECKING:
    from manyheads.image.decoding import decode, fault_of
    from manyheads.image.naming import ENDINGS, ImageSource, image_key, image_name
    from manyheads.image.preparation import Picture, Preparation, Resample
    from manyheads.image.published import as_published, preparation_of

__all__ = [
    "ENDINGS",
    "ImageSource",
    "Picture",
    "Preparation",
    "Resample",
    "as_published",
    "decode",
    "fault_of",
    "image_key",
    "image_name",
    "preparation_of",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "manyheads.image.decoding": ("decode", "fault_of"),
        "manyheads.image.naming": ("ENDINGS", "ImageSource", "image_key", "image_name"),
        "manyheads.image.preparation": ("Picture", "Preparation", "Resample"),
        "manyheads.image.published": ("as_published", "preparation_of"),
    },
)
