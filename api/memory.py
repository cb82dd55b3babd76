"""Memory: a long-lived server gives back what a map or a large question took; glibc alone would keep it."""

from __future__ import annotations

import ctypes
import gc

#: mallopt(3): the number of arenas. Each thread of the pool would else fill one of its own.
_M_ARENA_MAX = -8
_ARENAS = 2


def _glibc() -> ctypes.CDLL | None:
    """The C library when it is one that has mallopt and malloc_trim; None elsewhere (musl, macOS)."""
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt.argtypes, library.malloc_trim.argtypes = (ctypes.c_int, ctypes.c_int), (ctypes.c_size_t,)
    except (OSError, AttributeError):
        return None
    return library


def share_arenas() -> None:
    """From now on all threads share two arenas of memory, where the C library allows it."""
    if (library := _glibc()) is not None:
        library.mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """What is free goes back to the system, where the C library allows it."""
    gc.collect()
    if (library := _glibc()) is not None:
        library.malloc_trim(0)
