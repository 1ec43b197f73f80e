"""Picture files (JPEG, PNG, whatever Pillow reads) as one array."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from device_profiles.errors import InputError
from hwnas.data.files import MAX_RESOLUTION, Images, first_line
from hwnas.data.resizing import resize
from hwnas.data.room import room

if TYPE_CHECKING:
    from PIL import Image

#: A picture with a longer side is refused before it is decoded.
MAX_SIDE = 16_384
#: Modes that are read, and their channels; a picture with a palette or transparency becomes colour.
_MODES = {"1": 1, "L": 1, "LA": 1, "P": 3, "RGB": 3, "RGBA": 3, "CMYK": 3, "YCbCr": 3}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file: how to name it to the user, and how to open it."""

    name: str
    open: Callable[[], io.IOBase]


def read_pictures(pictures: Sequence[Picture], resolution: int | None) -> Images:
    """All pictures `(n, c, side, side)`, the middle square of each, resized to `resolution`; grey ones become colour if any is in colour.

    All headers are read before any picture is decoded. Raises InputError, naming the file, for one that cannot be read, and for pictures of
    different sizes or not square when `resolution` is None.
    """
    headers = [_header(picture) for picture in pictures]
    channels = max(_MODES[mode] for mode, _ in headers)
    side = resolution or _one_size(pictures, [size for _, size in headers])
    images = room((len(pictures), channels, side, side))
    for row, picture in zip(images, pictures, strict=True):
        row[:] = _pixels(picture, channels, side)
    return images


def _one_size(pictures: Sequence[Picture], sizes: Sequence[tuple[int, int]]) -> int:
    width, height = sizes[0]
    for picture, size in zip(pictures, sizes, strict=True):
        if size != sizes[0]:
            sizes_text = f"{pictures[0].name} is {width} x {height}, {picture.name} {size[0]} x {size[1]}"
            raise InputError(f"pictures of different sizes: {sizes_text}: give a resolution")
    if width != height or width > MAX_RESOLUTION:
        raise InputError(f"{pictures[0].name} is {width} x {height}: give a resolution, to which the middle square is resized")
    return width


def _header(picture: Picture) -> tuple[str, tuple[int, int]]:
    """Mode and size, without decoding."""
    with _opened(picture) as image:
        mode, size = image.mode, image.size
    if mode not in _MODES:
        raise InputError(f"{picture.name}: pictures of mode {mode} are not read, only {', '.join(_MODES)}: convert it")
    if max(size) > MAX_SIDE:
        raise InputError(f"{picture.name}: {size[0]} x {size[1]} pixels are more than {MAX_SIDE} to a side")
    return mode, size


@contextmanager
def _opened(picture: Picture) -> Iterator[Image.Image]:
    """The picture for as long as the context lasts; what goes wrong in it is the picture's fault."""
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError("reading pictures needs Pillow: pip install 'hwnas[data]'") from error
    try:
        with picture.open() as stream, Image.open(cast(IO[bytes], stream)) as image:
            yield image
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{picture.name}: not a picture that can be read ({first_line(error)})") from error


def _pixels(picture: Picture, channels: int, side: int) -> Images:
    """The middle square of a picture, `(c, side, side)`."""
    with _opened(picture) as image:
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    pixels = pixels.reshape(*pixels.shape[:2], channels).transpose(2, 0, 1)
    short = min(pixels.shape[1:])
    top, left = ((size - short) // 2 for size in pixels.shape[1:])
    square = pixels[None, :, top : top + short, left : left + short]
    result: Images = (square if short == side else resize(square, side))[0]
    return result
