"""A search space of your own: draw a network once; costs, super-network, training, search and export follow.

hwnas profile --space examples/own_space.py:Plain --resolution 16 --channels 1 --out P.jsonl
hwnas train --space examples/own_space.py:Plain --data digits --resolution 16 --out runs/own
"""

from hwnas.spaces import Blueprint, Choice, DrawnSpace, Part


class Plain(DrawnSpace):
    """Three convolutions with a choice of channels and kernel each; a 2x2 pooling after each of them halves the image."""

    name = "plain"

    def __init__(self, classes: int = 10, resolution: int = 16, channels: int = 1) -> None:
        self.classes, self.input_shape = classes, (channels, resolution, resolution)
        layers = range(1, 4)
        self.choices = tuple(c for i in layers for c in (Choice(f"conv{i}.width", (8, 16, 32)), Choice(f"conv{i}.kernel", (3, 5))))
        # What a layer costs depends on its own two choices and on the width of the layer before it.
        before = {i: (2 * i - 4,) if i > 1 else () for i in layers}
        self.parts = (*(Part(f"conv{i}", (*before[i], 2 * i - 2, 2 * i - 1)) for i in layers), Part("head", (4,)))

    def blueprint(self, arch):
        values, draw, x = self.decode(arch), Blueprint(self.input_shape), "input"
        for i in (1, 2, 3):
            x = draw.conv(f"conv{i}/conv", x, values[f"conv{i}.width"], values[f"conv{i}.kernel"])
            x = draw.max_pool(f"conv{i}/pool", draw.activation(f"conv{i}/relu", x), 2, 2, padded=False)
        draw.linear("head/classifier", draw.global_pool("head/pool", x), self.classes)
        return draw
