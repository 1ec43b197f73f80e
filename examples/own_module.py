"""A module of your own as a super-network: say how a sub-net is selected and how it is copied; training, search and export follow.

hwnas train --space examples/own_module.py:Deep --data digits --resolution 16 --out runs/deep
"""

import copy

import torch.nn.functional as F
from torch import nn

from hwnas.spaces import Blueprint, Choice, DrawnSpace, Part
from hwnas.supernet import Supernet

DEPTHS = (1, 2, 3, 4)


class Net(nn.Module):
    """The module that was there before: residual convolutions, of which the first `depth` are run."""

    def __init__(self, channels, classes):
        super().__init__()
        self.stem = nn.Conv2d(channels, 16, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(max(DEPTHS)))
        self.classifier = nn.Linear(16, classes)

    def forward(self, images, depth=None):
        x = F.relu(self.stem(images))
        for block in self.blocks[:depth]:
            x = x + F.relu(block(x))
        return self.classifier(x.mean((2, 3)))


class DeepSupernet(Supernet):
    """The module as a super-network."""

    def __init__(self, space):
        super().__init__(space)
        self.net = Net(space.input_shape[0], space.classes)
        self.configure(self.active)

    def configure(self, architecture):
        self.depth = DEPTHS[architecture[0]]

    def build(self):
        net = copy.deepcopy(self.net)
        del net.blocks[self.depth :]
        return net

    def forward(self, images):
        return self.net(images, self.depth)


class Deep(DrawnSpace):
    """One to four blocks, drawn for what they cost."""

    name = "deep"
    choices = (Choice("depth", DEPTHS),)
    parts = (Part("stem", ()), *(Part(f"block{i}", (0,)) for i in DEPTHS), Part("head", ()))

    def __init__(self, classes=10, resolution=16, channels=1):
        self.classes, self.input_shape = classes, (channels, resolution, resolution)

    def blueprint(self, arch):
        draw = Blueprint(self.input_shape)
        x = draw.activation("stem/relu", draw.conv("stem/conv", "input", 16, 3, norm=False, bias=True))
        for i in range(1, self.decode(arch)["depth"] + 1):
            y = draw.conv(f"block{i}/conv", x, 16, 3, norm=False, bias=True)
            x = draw.add(f"block{i}/add", x, draw.activation(f"block{i}/relu", y))
        draw.linear("head/classifier", draw.global_pool("head/pool", x), self.classes)
        return draw

    def supernet(self):
        return DeepSupernet(self)
