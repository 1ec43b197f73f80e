"""Export: the file computes what the sub-net computes, holds what the space describes, and tells where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from device_profiles.errors import DeviceError, InputError
from device_profiles.onnx_io import read_network
from hwnas import data
from hwnas.data import Dataset
from hwnas.export import subnet as export
from hwnas.spaces import MobileNetSpace, Stage
from hwnas.supernet import Supernet, UncalibratedError, calibrate, calibration_images, train
from hwnas.torch_tools import to_input


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return data.load("digits", resolution=9)  # odd: strides must round as the space says


@pytest.fixture(scope="module")
def supernet(digits: Dataset) -> Supernet:
    stages = (Stage((8, 12), (1, 2), (3, 5), (2, 3), 1), Stage((8, 16), (1, 2), (3, 5), (2, 3), 2))
    space = MobileNetSpace(stages, 10, 1, 9, stem=8, head=16)
    return train(space, digits, epochs=2, batch_size=32, learning_rate=0.3, shift=0)


@pytest.fixture(scope="module")
def written(supernet: Supernet, digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[export.ExportReport]:
    """The smallest, the largest and a random sub-net, as files."""
    folder, space = tmp_path_factory.mktemp("models"), supernet.space
    archs = [space.smallest()[0], space.largest()[0], space.sample(1, np.random.default_rng(0))[0]]
    return [export.export(supernet, arch, folder / f"{i}.onnx", dataset=digits) for i, arch in enumerate(archs)]


def test_the_file_computes_what_the_sub_net_computes(written: list[export.ExportReport], supernet: Supernet, digits: Dataset) -> None:
    for report in written:
        assert report.max_difference < 1e-4
        assert report.images == 256
        supernet.activate(report.architecture)
        calibrate(supernet, calibration_images(digits))
        with torch.no_grad():
            expected = supernet.eval()(to_input(digits.test.images)).numpy()
        session = onnxruntime.InferenceSession(report.path)
        found = [session.run(None, {"input": image[None].astype(np.float32) / 255})[0][0] for image in digits.test.images]
        assert np.abs(np.array(found) - expected).max() < 1e-4
        assert np.std(expected) > 0.1  # a comparison of constants would prove nothing


def test_the_file_is_the_network_that_the_space_describes(written: list[export.ExportReport], supernet: Supernet) -> None:
    for report in written:
        described, found = supernet.space.network(report.architecture), read_network(report.path)
        assert [node.operator.key for node in found.nodes] == [node.operator.key for node in described.nodes]
        assert [node.name for node in found.nodes] == [node.name for node in described.nodes]
        assert report.operators == tuple(op.kind for op in described.operators)
        assert (report.macs, report.params) == (described.macs, described.params) == (found.macs, found.params)
        model = onnx.load(report.path)
        assert sum(int(np.prod(constant.dims)) for constant in model.graph.initializer) == described.params
        assert sum(node.op_type == "Conv" for node in model.graph.node) == sum(op.kind == "Conv" for op in described.operators)


def test_every_runtime_of_the_day_can_read_it(written: list[export.ExportReport]) -> None:
    for report in written:
        model = onnx.load(report.path)
        onnx.checker.check_model(model, full_check=True)
        assert model.ir_version == 10
        assert [(entry.domain, entry.version) for entry in model.opset_import if not entry.domain] == [("", 18)]
        (entry,), (result,) = model.graph.input, model.graph.output
        assert (entry.name, [d.dim_value for d in entry.type.tensor_type.shape.dim]) == ("input", [1, 1, 9, 9])
        assert (result.name, [d.dim_value for d in result.type.tensor_type.shape.dim]) == ("logits", [1, 10])
        assert not [constant for constant in model.graph.initializer if constant.external_data]
        assert report.bytes == report.path.stat().st_size


def test_metadata_say_what_it_is_and_nothing_about_this_machine(
    written: list[export.ExportReport], supernet: Supernet, digits: Dataset
) -> None:
    for report in written:
        model = onnx.load(report.path)
        found = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
        assert found["classes"] == list(digits.class_names)
        assert found["preprocessing"] == {
            "layout": "NCHW", "channels": 1, "data_resolution": 9, "resolution": 9, "crop": "middle square", "resize": "bilinear",
            "divide_by": 255,
        }  # fmt: skip
        assert found["architecture"]["indices"] == list(report.architecture)
        assert found["architecture"]["values"] == supernet.space.decode(report.architecture)
        assert found["space"] == json.loads(json.dumps(supernet.space.spec()))
        assert found["provenance"]["data_sha256"] == digits.sha256
        assert set(found["provenance"]) >= {"hwnas", "torch", "onnx", "onnxruntime"}
        content = report.path.read_bytes()
        assert b".py" not in content
        assert str(Path(export.__file__).parents[2]).encode() not in content


def test_the_report_is_json(written: list[export.ExportReport]) -> None:
    found = json.loads(json.dumps(written[0].to_json()))
    assert found["path"] == str(written[0].path)
    assert found["max_difference"] == written[0].max_difference


def test_exporting_twice_gives_the_same_bytes_and_no_word(
    supernet: Supernet, digits: Dataset, written: list[export.ExportReport], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    again = export.export(supernet, written[0].architecture, tmp_path / "again.onnx", dataset=digits)
    assert again.sha256 == written[0].sha256
    assert capfd.readouterr() == ("", "")
    assert [file.name for file in tmp_path.iterdir()] == ["again.onnx"]


def test_an_uncalibrated_sub_net_is_not_exported(supernet: Supernet, digits: Dataset, tmp_path: Path) -> None:
    supernet.activate(supernet.space.smallest())
    subnet = supernet.extract()
    with pytest.raises(UncalibratedError, match="cannot be exported: it was extracted before calibrate"):
        export.export_subnet(subnet, tmp_path / "net.onnx", space=supernet.space, dataset=digits)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("difference", [2e-4, float("nan")])
def test_without_proof_nothing_is_written(
    supernet: Supernet, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, difference: float
) -> None:
    monkeypatch.setattr(export, "to_onnx", lambda *_: tiny_model())
    monkeypatch.setattr(export, "largest_difference", lambda *_: difference)
    with pytest.raises(DeviceError, match="was not written: onnxruntime and torch differ by"):
        export.export(supernet, supernet.space.smallest(), tmp_path / "net.onnx", dataset=digits)
    assert not list(tmp_path.iterdir())


def tiny_model() -> onnx.ModelProto:
    """Logits that are all zero."""
    make = onnx.helper
    zeros = make.make_tensor("zeros", onnx.TensorProto.FLOAT, [81, 10], np.zeros(810))
    graph = make.make_graph(
        [make.make_node("Flatten", ["input"], ["flat"]), make.make_node("MatMul", ["flat", "zeros"], ["logits"])], "tiny",
        [make.make_tensor_value_info("input", onnx.TensorProto.FLOAT, [1, 1, 9, 9])],
        [make.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1, 10])], [zeros],
    )  # fmt: skip
    return make.make_model(graph, ir_version=10, opset_imports=[make.make_opsetid("", 18)])


def test_a_wrong_file_is_found_out(supernet: Supernet, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "to_onnx", lambda *_: tiny_model())
    with pytest.raises(DeviceError, match="was not written"):
        export.export(supernet, supernet.space.largest(), tmp_path / "net.onnx", dataset=digits)


def test_places_that_cannot_be_written(supernet: Supernet, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smallest: Any = supernet.space.smallest()
    with pytest.raises(InputError, match="is a folder"):
        export.export(supernet, smallest, tmp_path, dataset=digits)
    monkeypatch.setattr(export, "to_onnx", lambda *_: tiny_model())
    monkeypatch.setattr(export, "largest_difference", lambda *_: 0.0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*net.onnx"):
        export.export(supernet, smallest, tmp_path / "file" / "net.onnx", dataset=digits)
    with pytest.raises(InputError, match="the super-network is for"):
        export.export(supernet, smallest, tmp_path / "net.onnx", dataset=data.load("digits"))
