"""`preprocessor_config.json`, in which published folders say how images are made ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manyheads.errors import ConfigError
from manyheads.image.preparation import Preparation, Resample

_NAME = "preprocessor_config.json"
# Four names of one processor, whose defaults are below.
_PROCESSORS = (
    "ViTImageProcessor",
    "ViTImageProcessorFast",
    "ViTImageProcessorPil",
    "ViTFeatureExtractor",
)
_DEFAULTS: Mapping[str, Any] = {
    "do_resize": True,
    "size": 224,
    "resample": Resample.BILINEAR,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": (0.5, 0.5, 0.5),
    "image_std": (0.5, 0.5, 0.5),
}
# What says nothing about the numbers that a model reads.
_WITHOUT_EFFECT = {
    *("do_convert_rgb", "default_to_square", "data_format", "input_data_format", "device"),
    *("return_tensors", "disable_grouping", "processor_class", "_processor_class"),
    *("image_processor_type", "feature_extractor_type", "_valid_processor_keys"),
    *("model_input_names", "transformers_version"),
}


def preparation_of(
    config: Mapping[str, Any] | None, channels: int, size: tuple[int, int]
) -> Preparation:
    """Return how images are made ready for a model that reads (C, H, W) = (`channels`, *`size`).

    Raises `ConfigError` for what is missing, does not fit the model, or is not understood: a model
    would answer otherwise without anything looking wrong.
    """
    if config is None:
        raise ConfigError(
            f"the model's folder has no {_NAME}, which says how images are made ready for it; "
            "copy it from where the model was published"
        )
    _refuse_unknown(config)
    said = {**_DEFAULTS, **{key: value for key, value in config.items() if value is not None}}
    if channels not in (1, 3):
        raise ConfigError(f"num_channels={channels} is neither grey (1) nor RGB (3)")
    if said["do_resize"] and _size(said["size"]) != size:
        raise ConfigError(
            f"{_NAME} says size={said['size']}, and config.json an image of {size[0]} x {size[1]} "
            "(height, width); restore the one that was changed"
        )
    return Preparation(
        channels=channels,
        size=size,
        resample=_resample(said["resample"]) if said["do_resize"] else None,
        scale=float(said["rescale_factor"]) if said["do_rescale"] else 1.0,
        mean=_each(said, "image_mean", channels) if said["do_normalize"] else (0.0,) * channels,
        deviation=_each(said, "image_std", channels) if said["do_normalize"] else (1.0,) * channels,
    )


def as_published(preparation: Preparation) -> dict[str, Any]:
    """Return the `preprocessor_config.json` that `preparation_of` reads back to the same."""
    height, width = preparation.size
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": preparation.resample is not None,
        "size": {"height": height, "width": width},
        "resample": int(preparation.resample or Resample.BILINEAR),
        "do_rescale": True,
        "rescale_factor": preparation.scale,
        "do_normalize": True,
        "image_mean": list(preparation.mean),
        "image_std": list(preparation.deviation),
    }


def _refuse_unknown(config: Mapping[str, Any]) -> None:
    processor = config.get("image_processor_type") or config.get("feature_extractor_type")
    if processor is not None and processor not in _PROCESSORS:
        raise ConfigError(
            f"{_NAME} is for {processor!r}, which is not understood; {', '.join(_PROCESSORS)} are"
        )
    for key, value in config.items():
        if key not in _DEFAULTS and key not in _WITHOUT_EFFECT and value not in (None, False):
            raise ConfigError(
                f"{_NAME} says {key}={value!r}, which is not understood, and images made ready "
                "without it would be other ones; take it out if it has no effect"
            )


def _size(size: Any) -> tuple[int, int]:
    """Return (height, width) of the ways in which folders have said it."""
    match size:
        case int():
            return size, size
        case {"height": int(height), "width": int(width), **others} if not others:
            return height, width
        case [int(height), int(width)]:
            return height, width
    raise ConfigError(f"{_NAME} says size={size!r}; height and width are understood, no others")


def _resample(number: Any) -> Resample:
    try:
        return Resample(number)
    except ValueError:
        raise ConfigError(
            f"{_NAME} says resample={number!r}; known are "
            f"{', '.join(f'{one} ({one.name.lower()})' for one in Resample)}"
        ) from None


def _each(said: Mapping[str, Any], key: str, channels: int) -> tuple[float, ...]:
    """Return a number for each channel; one for all where one is given."""
    values = said[key]
    numbers = (float(values),) if isinstance(values, int | float) else tuple(map(float, values))
    if len(numbers) == 1 or (channels == 1 and len(set(numbers)) == 1):
        numbers = numbers[:1] * channels
    if len(numbers) != channels or (key == "image_std" and 0.0 in numbers):
        raise ConfigError(f"{_NAME} says {key}={values!r} for {channels} channels; correct it")
    return numbers
