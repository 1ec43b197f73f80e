"""The super-network of channel-level bypass nets, which can also run every image of a batch through a sub-net of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from hwnas.spaces.base import Archs
from hwnas.spaces.bypass import BypassSpace
from hwnas.supernet.band_norm import band_norm
from hwnas.supernet.bands import counts, filled, whole
from hwnas.supernet.drawn import DrawnSupernet, ElasticLayer, module_name

Ints = npt.NDArray[np.int64]


class BypassSupernet(DrawnSupernet):
    """Shared weights of a `BypassSpace`.

    With a sub-net per image (Yang, Liao & Sze, NetAdaptV2, CVPR 2021, section 3.2) a filter that an image does not have is a channel that
    it hands on, or 0 where there is none.
    """

    space: BypassSpace

    def forward_each(self, images: torch.Tensor, archs: Archs) -> torch.Tensor:
        """Logits `(n, classes)`, each image by a sub-net of its own, in one pass. Computed in the precision of the weights."""
        columns = {choice.name: np.array(choice.values)[archs[:, i]] for i, choice in enumerate(self.space.choices)}
        with torch.autocast(images.device.type, enabled=False):
            x = images
            for s, stage in enumerate(self.space.stages, 1):
                for i in range(1, stage.layers + 1):
                    name = f"stage{s}.layer{i}"
                    layer = self.layers[module_name(f"{name}/conv")]
                    assert isinstance(layer, ElasticLayer)
                    x = _layer(layer, x, columns[f"{name}.filters"], columns[f"{name}.kernel"], stage.stride if i == 1 else None)
            classifier = self.layers[module_name("head/classifier")]
            assert isinstance(classifier, ElasticLayer)
            assert classifier.linear is not None
            return F.linear(x.mean((2, 3)), classifier.linear.weight, classifier.linear.bias)


def _layer(layer: ElasticLayer, x: torch.Tensor, filters: Ints, kernels: Ints, stride: int | None) -> torch.Tensor:
    """One layer of `(n, c, h, w)`; nothing bypasses it when there is a stride."""
    having = np.flatnonzero(filters)
    if not len(having):
        return x
    having = having[np.argsort(kernels[having], kind="stable")]
    y = _normal(layer, _convolved(layer, x, having, kernels[having], stride or 1), filters[having])
    if stride is not None:  # every image has filters here
        return y.index_select(0, _index(np.argsort(having), x))
    channels = max(x.shape[1], y.shape[1])
    x, y = (F.pad(part, (0, 0, 0, 0, 0, channels - part.shape[1])) for part in (x, y))
    bypassed = torch.from_numpy(np.arange(channels) >= filters[:, None]).to(x)[:, :, None, None]
    return (x * bypassed).index_add(0, _index(having, x), y)


def _convolved(layer: ElasticLayer, x: torch.Tensor, rows: Ints, kernels: Ints, stride: int) -> torch.Tensor:
    """All filters of the layer on the images in `rows`, which are in the order of their `kernels`."""
    assert layer.conv is not None
    parts = []
    for size in np.unique(kernels):
        own = rows[kernels == size]
        more = np.concatenate([own, np.repeat(own[:1], filled(len(own)) - len(own))])  # batches of few sizes
        weight = layer.conv.first(layer.conv.weight.shape[0], int(size))
        parts.append(F.conv2d(x.index_select(0, _index(more, x)), weight, None, stride, int(size) // 2)[: len(own)])
    return torch.cat(parts)


def _normal(layer: ElasticLayer, x: torch.Tensor, filters: Ints) -> torch.Tensor:
    """Batch-norm of every filter over the images that have it, and ReLU; 0 where an image does not have the filter."""
    assert layer.norm is not None
    n, channels, height, width = x.shape
    rows = x.transpose(0, 1).reshape(channels * n, -1)
    number = counts(filters, channels, x) * (height * width)
    y = band_norm(rows, layer.norm.weight, layer.norm.bias, number, [whole(filters, channels, x)], layer.norm.eps, "Relu")
    return y.view(channels, n, height, width).transpose(0, 1)


def _index(rows: Ints, x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(rows).to(x.device)
