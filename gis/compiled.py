"""Compiled: Python functions as machine code, made once a machine by numba and run without the interpreter's lock.

Importing this module imports numba (0.3 s, 60 MB): import it, and every module of kernels, only where an index is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

#: The modules of kernels. A kernel calls others across files, so a change in any of them must compile all anew.
KERNELS = ("compiled", "orientation", "celllayout", "celledges", "cellareas", "cellquery", "nearquery", "gaussian")
#: Modules whose kernels call none of another file: a change compiles that one file anew.
ALONE = ("planeloops", "sweeploops", "runloops", "fixloops", "trackloops", "placeloops", "rowloops")


@cache
def source_stamp(module: str = "gis.compiled") -> tuple[str, int]:
    """What the machine code on disk was made from: a digest of all modules of KERNELS, or of one of ALONE."""
    digest = hashlib.sha256()
    own = module.rpartition(".")[2]
    for name in (own,) if own in ALONE else KERNELS:
        spec = find_spec(f"gis.{name}")
        if spec is not None and spec.origin is not None:
            digest.update(Path(spec.origin).read_bytes())
    return digest.hexdigest(), len(KERNELS)


def compiled(function: F) -> F:
    """The function, compiled at its first call with new types and kept on disk for the next process.

    The code lies beside the source, or in the user's cache folder where that cannot be written; where there is neither,
    every process compiles for itself. Division by zero gives inf or NaN as in numpy; arithmetic is IEEE, never reordered.
    """
    return _kept(function, counted=True)


def lean(function: F) -> F:
    """The same for a function that makes no array and returns none: references to arrays are not counted in it.

    Numba counts them at every call with atomic additions, which took 40 % of the time of loops that call small functions,
    and more with a second thread.
    """
    return _kept(function, counted=False)


def _kept(function: F, *, counted: bool) -> F:
    # Said in both cases: what a function calls is compiled with its own options where it does not say otherwise.
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": counted}
    try:
        dispatcher: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
    # numba looks at the date of this function's own file alone, which misses a change in a kernel that it calls.
    dispatcher._cache._cache_file._source_stamp = source_stamp()
    return dispatcher  # type: ignore[no-any-return]
