from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas.data import resize
from hwnas.export import inference
from hwnas.export.inference import preprocess
from hwnas.export.scores import pixels_of


def wanted(**changes: Any) -> dict[str, Any]:
    return {"channels": 3, "data_resolution": 16, "resolution": 12, "divide_by": 255, **changes}


@pytest.mark.parametrize("side", [12, 16])
def test_an_image_goes_the_way_of_the_images_that_were_trained_on(side: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)
    square = image[5:35].transpose(2, 0, 1)[None]
    expected = pixels_of(resize(square, 16), side)
    assert np.abs(preprocess(image, wanted(resolution=side)) - expected).max() < 1e-6


def test_grey_images_become_colour_and_colour_is_not_made_grey() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = preprocess(grey, wanted(resolution=16))
    assert found.shape == (1, 3, 16, 16)
    assert (found[0, 0] == found[0, 2]).all()
    with pytest.raises(SystemExit, match="takes images of 1 channels"):
        preprocess(np.zeros((16, 16, 3)), wanted(channels=1))


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "image.npy", np.zeros((4, 4), np.uint8))
    for arguments, missing in ((["gone.png"], "gone.png"), ([str(tmp_path / "image.npy"), "gone.onnx"], "gone.onnx")):
        monkeypatch.setattr(sys, "argv", ["infer_net.py", *arguments])
        with pytest.raises(SystemExit, match=f"no such file: {missing}"):
            inference.main()
