"""Import a language's package without its noise."""

import warnings
from importlib import import_module
from types import ModuleType


def quietly(name: str) -> ModuleType:
    """Import a package whose old spellings make newer Pythons warn; the warnings are dropped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)
