"""Checks of arguments that several rules share: what was seen, and how to mend it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tpld.core.labels import MAX_CLASSES


def class_maps(name: str, array: ArrayLike) -> NDArray[np.float32]:
    """Return `array` as contiguous float32 (K, H, W) with 2 <= K <= 254, or raise ValueError."""
    maps = np.ascontiguousarray(array, dtype=np.float32)
    if maps.ndim != 3 or not 2 <= maps.shape[0] <= MAX_CLASSES:
        raise ValueError(
            f"{name} has shape {maps.shape}; expected (K, H, W) with 2 to {MAX_CLASSES} classes "
            "first. Move the class axis to the front and pass one image at a time."
        )
    return maps


def per_class(name: str, array: ArrayLike, num_classes: int) -> NDArray[np.float32]:
    """Return `array` as float32 (num_classes,) without NaN, or raise ValueError."""
    values = np.ascontiguousarray(array, dtype=np.float32)
    if values.shape != (num_classes,):
        raise ValueError(
            f"{name} has shape {values.shape}; expected one value for each of {num_classes} "
            "classes. Do the thresholds come from another experiment?"
        )
    if np.isnan(values).any():
        raise ValueError(
            f"{name} is NaN for classes {np.flatnonzero(np.isnan(values)).tolist()}. Pass rank "
            "values through thresholds.log_thresholds, which gives classes without rank λ = 1."
        )
    return values


def class_ids(name: str, array: ArrayLike, num_classes: int) -> NDArray[np.uint8]:
    """Return `array` as contiguous uint8 (H, W), every value under num_classes, or raise."""
    ids = np.asarray(array)
    if ids.ndim != 2 or ids.dtype.kind not in "ui":
        raise ValueError(
            f"{name} has shape {ids.shape} and dtype {ids.dtype}; expected integer class ids (H, W)"
        )
    if ids.size and (int(ids.max()) >= num_classes or int(ids.min()) < 0):
        raise ValueError(
            f"{name} holds values from {ids.min()} to {ids.max()}; expected class ids from 0 to "
            f"{num_classes - 1}. Is num_classes = {num_classes} right?"
        )
    return np.ascontiguousarray(ids, dtype=np.uint8)


def same_shape(**arrays: NDArray) -> None:
    """Raise ValueError unless all named arrays have the same shape."""
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"shapes differ: {shapes}; all must belong to the same image")


def share(name: str, value: float) -> float:
    """Return `value` as a float in [0, 1], or raise ValueError."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} is {value}; expected a share from 0 to 1")
    return float(value)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")
