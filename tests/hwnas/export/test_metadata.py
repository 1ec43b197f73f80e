from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from device_profiles.errors import InputError
from hwnas.export import metadata


def model() -> onnx.ModelProto:
    make = onnx.helper
    value, result = (make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    return make.make_model(make.make_graph([make.make_node("Relu", ["x"], ["y"])], "model", [value], [result]))


def test_what_is_written_is_read_again_and_nothing_else_stays(tmp_path: Path) -> None:
    facts = {"classes": ["</script>", "ü", "a\nb"], "provenance": {"run": "x", "seed": 3, "device": None}}
    first = model()
    onnx.helper.set_model_props(first, {"left": "over"})
    content = metadata.write(first, facts)
    (tmp_path / "a.onnx").write_bytes(content)
    assert metadata.read(tmp_path / "a.onnx") == facts
    assert metadata.write(model(), dict(reversed(facts.items()))) == content


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"no model at all"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    if not content:
        assert metadata.read(tmp_path / "a.onnx") == {}
        return
    with pytest.raises(InputError, match="is not a file that hwnas has exported") as error:
        metadata.read(tmp_path / "a.onnx")
    assert "\n" not in str(error.value)


def test_metadata_that_are_no_json(tmp_path: Path) -> None:
    other = model()
    onnx.helper.set_model_props(other, {"classes": "not json"})
    (tmp_path / "a.onnx").write_bytes(other.SerializeToString())
    with pytest.raises(InputError):
        metadata.read(tmp_path / "a.onnx")
    with pytest.raises(InputError):
        metadata.read(tmp_path / "gone.onnx")
