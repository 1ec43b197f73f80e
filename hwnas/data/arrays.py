"""Images in `.npz` files: arrays of pixels, or packed JPEG and PNG files."""

from __future__ import annotations

import io
import itertools
import zipfile
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device_profiles.errors import InputError
from hwnas.data.files import MAX_BYTES, MAX_CHANNELS, MAX_RESOLUTION, Found, Images, checked_labels, first_line
from hwnas.data.pictures import Picture, read_pictures

# What zipfile and numpy raise for files that are no archives, cut short, encrypted, packed in unknown ways, or full of objects.
_UNREADABLE = (OSError, ValueError, EOFError, KeyError, MemoryError, RuntimeError, zlib.error, zipfile.BadZipFile, zipfile.LargeZipFile)
_WANTED = ("images", "labels", "classes", "jpeg", "offsets")


def read_npz(path: Path, resolution: int | None = None) -> Found:
    """The images of an `.npz` file; packed pictures are cut square and resized to `resolution` while they are read, arrays are not."""
    arrays = _read(path)
    _require(arrays, "labels", path=path)
    images = None if "jpeg" in arrays else _images(arrays["images"], path)
    names = _names(arrays.get("classes"), path)
    labels = checked_labels(arrays["labels"], path, names)
    number = len(arrays["offsets"]) - 1 if images is None else len(images)
    if number != len(labels):
        raise InputError(f"{path}: {number} images but {len(labels)} labels: there must be one label for each image")
    if images is None:
        images = read_pictures(_packed(arrays["jpeg"], arrays["offsets"], path), resolution)
    return Found(images, labels, names or tuple(map(str, range(int(labels.max()) + 1))))


def read_images(path: Path, resolution: int | None = None) -> Images:
    """The images `(n, c, h, w)` of an `.npz` file whose labels do not matter, read as `read_npz` reads them."""
    arrays = _read(path)
    _require(arrays, path=path)
    if "jpeg" in arrays:
        return read_pictures(_packed(arrays["jpeg"], arrays["offsets"], path), resolution)
    return _images(arrays["images"], path)


def _require(arrays: Mapping[str, npt.NDArray[np.generic]], *names: str, path: Path) -> None:
    """Raises InputError unless there are images, packed or not, and the named arrays."""
    missing = [name for name in (*(("jpeg", "offsets") if "jpeg" in arrays else ("images",)), *names) if name not in arrays]
    if missing:
        raise InputError(f"{path}: has no array {' and '.join(map(repr, missing))}; it holds {', '.join(sorted(arrays)) or 'nothing'}")


def _packed(content: npt.NDArray[np.generic], offsets: npt.NDArray[np.generic], path: Path) -> list[Picture]:
    """Where each picture file lies in the bytes of all."""
    if content.dtype != np.uint8 or content.ndim != 1 or offsets.ndim != 1 or offsets.dtype.kind not in "iu":
        raise InputError(f"{path}: jpeg must be a list of bytes and offsets a list of whole numbers")
    ends = offsets.astype(np.int64)
    if ends[0] < 0 or ends[-1] > len(content) or (np.diff(ends) <= 0).any():
        raise InputError(f"{path}: offsets must rise from 0 to the {len(content)} bytes of jpeg")
    data = content.tobytes()
    return [
        Picture(f"{path}, image {i}", partial(_slice, data, start, end)) for i, (start, end) in enumerate(itertools.pairwise(ends.tolist()))
    ]


def _slice(data: bytes, start: int, end: int) -> io.BytesIO:
    return io.BytesIO(data[start:end])


def _read(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of interest in an .npz file; sizes are looked up before anything is unpacked."""
    if not path.is_file():
        raise InputError(f"no such data file: {path}" if not path.exists() else f"{path} is not a file: give the path of an .npz file")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise InputError(f"{path}: holds {size} bytes, more than the {MAX_BYTES} that are read from one file")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in _WANTED if name in arrays.files}
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a readable .npz file with plain arrays ({first_line(error)})") from error


def _images(raw: npt.NDArray[np.generic], path: Path) -> Images:
    """Pixels as `(n, c, h, w)` uint8."""
    if raw.ndim == 3:
        raw = raw[:, None]
    elif raw.ndim == 4 and raw.shape[1] == raw.shape[2] and raw.shape[3] <= MAX_CHANNELS:
        raw = raw.transpose(0, 3, 1, 2)
    if raw.ndim != 4 or raw.size == 0:
        raise InputError(f"{path}: images must be (n, h, w), (n, h, w, c) or (n, c, h, w), got {raw.shape}")
    if raw.shape[1] > MAX_CHANNELS or raw.shape[2] != raw.shape[3]:
        raise InputError(f"{path}: images must be square with at most {MAX_CHANNELS} channels, got an array of {raw.shape}")
    if raw.shape[2] > MAX_RESOLUTION:
        raise InputError(f"{path}: images of {raw.shape[2]} x {raw.shape[3]} pixels are larger than {MAX_RESOLUTION} x {MAX_RESOLUTION}")
    return np.ascontiguousarray(_pixels(raw, path))


def _pixels(raw: npt.NDArray[np.generic], path: Path) -> Images:
    """The same values as uint8: floats of 0..1 are scaled to 0..255, floats of 0..255 are rounded."""
    if raw.dtype == np.uint8:
        return raw.astype(np.uint8, copy=False)
    if raw.dtype.kind not in "fiu":
        raise InputError(f"{path}: images must be uint8 or float, got {raw.dtype}")
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        raise InputError(f"{path}: images contain NaN or infinite values")
    low, high = float(raw.min()), float(raw.max())
    if low < 0 or high > 255:
        raise InputError(f"{path}: pixels must lie between 0 and 1 or between 0 and 255, got {low:g} to {high:g}")
    scale = 255.0 if raw.dtype.kind == "f" and high <= 1 else 1.0
    pixels: Images = np.rint(raw.astype(np.float32) * scale).astype(np.uint8)
    return pixels


def _names(raw: npt.NDArray[np.generic] | None, path: Path) -> tuple[str, ...]:
    """The names of the classes; none when the file has none."""
    if raw is None:
        return ()
    if raw.ndim != 1 or not raw.size:
        raise InputError(f"{path}: 'classes' must be a list of names, one for each class, got an array of {raw.shape}")
    return tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in raw.tolist())
