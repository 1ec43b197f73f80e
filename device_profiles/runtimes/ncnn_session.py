"""A model loaded into ncnn, called as a user calls it or with nothing but its layers timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ncnn
import numpy as np
import numpy.typing as npt

from device_profiles.errors import DeviceError
from device_profiles.runtimes import base
from device_profiles.runtimes.base import Array
from device_profiles.runtimes.ncnn_model import Prepared
from device_profiles.runtimes.ncnn_param import gathered, write_layers
from device_profiles.runtimes.pnnx import NO_BATCH

#: The blob that is there when all results are, and the layer that makes it.
_ALL = "hwnas.all"

#: What ncnn has room for.
_MAX_DIMS = 4

#: A network that hands on what it gets, in the packing that ncnn chooses for it.
_PACKING = "7767517\n2 2\nInput in 0 1 in\nReLU same 1 1 in out 0=1.0\n"


def make_net(param: str, weights: Path | None, settings: Mapping[str, Any]) -> Any:
    """A network in ncnn with these options. Raises DeviceError when ncnn cannot load it."""
    net = ncnn.Net()
    for name, value in settings.items():
        setattr(net.opt, name, value)
    if net.load_param_mem(param) or (weights is not None and net.load_model(str(weights))):
        raise DeviceError("ncnn cannot load what pnnx made of the model")
    return net


def as_mat(array: Array, batch_axis: int) -> Any:
    """The array in memory of ncnn's own: a layer that works in place crashes on memory that is not counted."""
    if array.ndim - (batch_axis != NO_BATCH) > _MAX_DIMS:
        raise DeviceError(f"ncnn has tensors of at most {_MAX_DIMS} dimensions besides the batch; an input has the shape {array.shape}")
    mat = ncnn.Mat(array, batch_index=batch_axis)
    return mat if mat.refcount else mat.clone()


def extracted(extractor: Any, blob: str | int, kept: bool = False) -> Any:
    """What is in a blob; `kept`: as it lies in memory. Raises DeviceError when it cannot be computed."""
    code, mat = extractor.extract(blob, int(kept))
    if code or mat.empty():
        raise DeviceError(f"ncnn cannot compute this model (its layers return {code})")
    return mat


class Session(base.Session):
    """A whole network: arrays in and arrays out."""

    def __init__(self, net: Any, ready: Prepared) -> None:
        self.net, self.inputs, self.places = net, ready.inputs, ready.outputs

    def call(self) -> object:
        """Runs the model once."""
        extractor = self.net.create_extractor()
        for place, array in self.inputs:
            extractor.input(place.blob, as_mat(array, place.batch_axis))
        return [extracted(extractor, place.blob).numpy(batch_index=place.batch_axis) for place in self.places]

    def outputs(self) -> list[Array]:
        """The outputs of one run, in the shapes that the model states: ncnn drops dimensions of one."""
        extractor = self.net.create_extractor()
        for place, array in self.inputs:
            extractor.input(place.blob, as_mat(array, place.batch_axis))
        arrays = [np.array(extracted(extractor, place.blob).numpy(batch_index=place.batch_axis)) for place in self.places]
        return [_shaped(array, place.shape) for array, place in zip(arrays, self.places, strict=True)]


def _shaped(array: Array, shape: tuple[int, ...] | None) -> Array:
    return array.reshape(shape) if shape is not None and array.size == int(np.prod(shape)) else array


class IsolatedSession(Session):
    """Isolated operators: each call is given inputs of its own beforehand, packed as the layer before would have left them.

    A layer that works in place is then not charged with a copy. A layer that does nothing reads all results, so that one call into ncnn
    computes them.
    """

    def __init__(self, ready: Prepared, settings: Mapping[str, Any]) -> None:
        net = make_net(write_layers(gathered(ready.layers, [place.blob for place in ready.outputs], _ALL)), ready.weights, settings)
        super().__init__(net, ready)
        number = {blob.name: index for index, blob in enumerate(net.blobs())}
        packing = make_net(_PACKING, None, settings)
        self.last = number[_ALL]
        self.mats = [(number[p.blob], self._packed(packing, number[p.blob], as_mat(array, p.batch_axis))) for p, array in ready.inputs]
        self.extractor: Any = None
        self.result: Any = None

    def _packed(self, packing: Any, blob: int, mat: Any) -> Any:
        """The input as its first reader wants it."""
        reader = self._reader(blob)
        if reader is None or not reader.support_packing or reader.support_any_packing:
            return mat
        extractor = packing.create_extractor()
        extractor.input("in", mat)
        return extracted(extractor, "out", kept=True).clone()

    def _reader(self, blob: int) -> Any:
        layers, blobs = self.net.layers(), self.net.blobs()
        consumer = blobs[blob].consumer
        while consumer >= 0 and layers[consumer].type == "Split":
            consumer = blobs[layers[consumer].tops[0]].consumer
        return layers[consumer] if consumer >= 0 else None

    def _prepare(self) -> None:
        self.result = None
        self.extractor = self.net.create_extractor()
        for index, mat in self.mats:
            own = mat.clone()
            self.extractor.input(index, own)
            own.release()  # the network alone holds it now, and may write over it

    def _run(self) -> None:
        self.result = extracted(self.extractor, self.last, kept=True)

    def call(self) -> object:
        """Runs the model once."""
        self._prepare()
        self._run()
        return self.result

    def time(
        self, warmup: int, block_ns: int, min_calls: int, max_calls: int, before: Callable[[], object] = base.nothing
    ) -> npt.NDArray[np.int64]:
        """Nanoseconds of single runs, without making their inputs, shape `(calls,)`; see `base.time_calls`."""

        def prepare() -> None:
            """Makes the inputs, then does what is asked before a call."""
            self._prepare()
            before()

        return base.time_calls(self._run, warmup, block_ns, min_calls, max_calls, prepare)
