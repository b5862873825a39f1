"""Load what a language needs when it is first needed, in one thread at a time."""

import threading
import warnings
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LOADING = threading.RLock()  # packages and tables that others are loading are never seen half made


def quietly(name: str) -> ModuleType:
    """Import a package whose old spellings make newer Pythons warn; the warnings are dropped."""
    with LOADING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


def once(make: Callable[P, T]) -> Callable[P, T]:
    """Make a thing at its first use, once for all threads; arguments are hashable."""
    made: dict[object, T] = {}

    @wraps(make)
    def get(*args: P.args, **kwargs: P.kwargs) -> T:
        key = (args, *sorted(kwargs.items())) if kwargs else args
        if key not in made:
            with LOADING:
                if key not in made:
                    made[key] = make(*args, **kwargs)
        return made[key]

    return get
