"""First weights from a seeded generator; torch's global random state is not touched."""

from __future__ import annotations

import math

import torch
from torch import nn

from hwnas.supernet.elastic import ElasticBatchNorm2d, ElasticConv2d, ElasticLinear


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draws every weight of elastic and plain layers anew.

    Convolutions: normal with variance 2 / fan-out (He et al., ICCV 2015); linear layers: normal with variance 1 / fan-in, bias 0;
    transformations of kernels: identity; batch-norm: scale 1, shift 0, fresh statistics.
    """
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, ElasticConv2d | nn.Conv2d):
                c_out, _, height, width = layer.weight.shape
                groups = layer.groups if isinstance(layer, nn.Conv2d) else (c_out if layer.depthwise else 1)
                layer.weight.normal_(0, math.sqrt(2 * groups / (c_out * height * width)), generator=generator)
                if layer.bias is not None:
                    layer.bias.zero_()
                if isinstance(layer, ElasticConv2d):
                    for matrix in layer.transforms.values():
                        nn.init.eye_(matrix)
            elif isinstance(layer, ElasticLinear | nn.Linear):
                layer.weight.normal_(0, 1 / math.sqrt(layer.weight.shape[1]), generator=generator)
                layer.bias.zero_()
            elif isinstance(layer, ElasticBatchNorm2d):
                layer.weight.fill_(1)
                layer.bias.zero_()
            elif isinstance(layer, nn.BatchNorm2d):
                layer.reset_parameters()
