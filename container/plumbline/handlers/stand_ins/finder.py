"""Finds the stand-ins after everything else: what is installed or vendored goes before them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from plumbline.handlers.stand_ins.toolkit_errors import lacking

PACKAGES = ("sagemaker_inference", "sagemaker_containers")


class Finder(MetaPathFinder, Loader):
    """What Python's import asks last."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """A stand-in's spec; none for modules of anybody else's. Raises `NotStoodFor`."""
        package = fullname.partition(".")[0]
        if package not in PACKAGES or (package != fullname and not is_ours(package)):
            return None
        if fullname not in modules():
            raise lacking(fullname)
        return ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its names."""
        vars(module).update(modules()[module.__name__])
        vars(module)["__getattr__"] = partial(looked_up, module.__name__)


def modules() -> dict[str, dict[str, Any]]:
    """The names in each module; nothing of it is imported before a handler asks."""
    from plumbline.handlers.stand_ins.modules import MODULES

    return MODULES


def looked_up(module: str, name: str) -> Any:
    """What a module has no name for: a module inside it. Raises `NotStoodFor`."""
    if name.startswith("__"):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return import_module(f"{module}.{name}")


FINDER = Finder()


def is_ours(name: str) -> bool:
    """Whether a module that was imported is a stand-in."""
    return getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None) is FINDER


def offer() -> None:
    """Let code that is imported from now on find the stand-ins, after its own modules.

    Those that earlier code was given are forgotten: the next may bring the real package along.
    """
    for name in [name for name in sys.modules if name.startswith(PACKAGES) and is_ours(name)]:
        del sys.modules[name]
    if FINDER not in sys.meta_path:
        sys.meta_path.append(FINDER)
