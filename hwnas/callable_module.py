"""Lets `hwnas.search(...)` and `hwnas.accuracy(...)` be called although packages of the same names hold what they use."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


def make_callable(module: str, function: str) -> None:
    """Calling the module from now on calls the named function in it."""

    class Callable(ModuleType):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return getattr(self, function)(*arguments, **options)

    sys.modules[module].__class__ = Callable
