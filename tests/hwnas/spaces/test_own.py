from __future__ import annotations

from pathlib import Path

import pytest

from device_profiles.errors import InputError
from hwnas import spaces

HEAD = """
from hwnas.spaces import Blueprint, Choice, DrawnSpace, Part

class Mine(DrawnSpace):
    name, classes, input_shape = "mine", 2, (1, 8, 8)
    choices, parts = (Choice("width", (4, 8)),), (Part("body", (0,)),)

    def blueprint(self, arch):
        draw = Blueprint(self.input_shape)
        x = draw.conv("body/conv", "input", self.decode(arch)["width"], 3)
        draw.linear("body/out", draw.global_pool("body/pool", x), self.classes)
        return draw
"""


def write(folder: Path, text: str) -> str:
    (folder / "mine.py").write_text(HEAD + text)
    return str(folder / "mine.py")


def test_an_object_or_a_function(tmp_path: Path) -> None:
    file = write(tmp_path, "SPACE = Mine()\ndef make(classes, resolution, channels):\n    return Mine()\n")
    one, other = spaces.load(f"{file}:SPACE"), spaces.load(f"{file}:make")
    assert one.size == other.size == 2
    assert spaces.from_spec(one.spec()).choices == one.choices


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("SPACE = Mine()", "SPCE", "did you mean 'SPACE'"),
        ("SPACE = 3", "SPACE", "neither a SearchSpace nor a function"),
        ("def make(**_): return 3", "make", "made a int, not a SearchSpace"),
        ("Mine.choices = (Choice('width', (4, 4)),)\nSPACE = Mine()", "SPACE", "different values"),
        ("Mine.parts = (Part('body', (7,)),)\nSPACE = Mine()", "SPACE", "names choices"),
        ("Mine.parts = (Part('other', (0,)),)\nSPACE = Mine()", "SPACE", "belongs to no part"),
        ("Mine.parts *= 2\nSPACE = Mine()", "SPACE", "two parts have one name"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        spaces.load(f"{write(tmp_path, text)}:{name}")


def test_files_and_modules_that_are_not_there() -> None:
    with pytest.raises(InputError, match="there is no file"):
        spaces.load("nowhere.py:SPACE")
    with pytest.raises(InputError, match="cannot import 'nowhere'"):
        spaces.load("nowhere:SPACE")
