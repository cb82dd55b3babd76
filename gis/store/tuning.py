"""The settings of the private server: sized for the machine's memory, durable, quiet."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

MB = 1 << 20


def machine_memory(cgroup: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """Bytes of memory that this machine or container may use."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int(cgroup.read_text("ascii"))
    except (OSError, ValueError):  # no such file, or the word "max"
        return physical
    return min(physical, limit)


def _share(memory: int, share: float, least_mb: int, most_mb: int) -> str:
    return f"{min(max(int(memory * share) // MB, least_mb), most_mb)}MB"


def shared_memory_kind(shm: Path = Path("/dev/shm")) -> str:  # noqa: S108 - looked at, never written
    """`posix` where it is safe, else `mmap`, which uses files below the data directory.

    Containers give /dev/shm 64 MB, or none that others than root may write; logind empties it of a user's files at logout.
    """
    try:
        room, mode = os.statvfs(shm), shm.stat().st_mode
    except OSError:
        return "mmap"
    is_roomy = room.f_bavail * room.f_frsize >= 1024 * MB
    return "posix" if os.geteuid() == 0 and is_roomy and mode & 0o1777 == 0o1777 else "mmap"


def settings_for(memory: int) -> dict[str, str]:
    """The settings for a machine with `memory` bytes; an answered report is on disk, and nothing here trades that for speed."""
    return {
        "shared_buffers": _share(memory, 0.25, 64, 4096),  # mapped lazily: an idle database does not take it
        "effective_cache_size": _share(memory, 0.5, 128, 65536),
        "maintenance_work_mem": _share(memory, 0.05, 64, 1024),
        "work_mem": _share(memory, 0.004, 8, 64),
        "max_wal_size": "2GB",
        "min_wal_size": "128MB",
        "wal_compression": "on",
        "checkpoint_completion_target": "0.9",
        "synchronous_commit": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "64",
        "jit": "off",  # compiles longer than our statements run
        "max_connections": "200",
        "max_locks_per_transaction": "256",  # a restore takes one transaction over every monthly partition
        "dynamic_shared_memory_type": shared_memory_kind(),
        "autovacuum_vacuum_scale_factor": "0.05",
        "autovacuum_analyze_scale_factor": "0.02",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_line_prefix": "'%m [%p] '",
        "log_checkpoints": "off",
        "log_min_duration_statement": "2000",
        "log_parameter_max_length": "0",  # what people reported does not belong in a log
        "log_parameter_max_length_on_error": "0",
        "log_min_error_statement": "panic",
    }


def configuration(cluster_name: str, sockets: Path, options: Mapping[str, str], local: Path) -> str:
    """The text of `gridbeat.conf`: one Unix socket in `sockets`, no TCP.

    `options` win over what is computed, and the operator's file `local`, when it is there, wins over both.
    """
    fixed = {
        "listen_addresses": "''",
        "port": "5432",
        "unix_socket_directories": "'" + str(sockets).replace("'", "''") + "'",
        "unix_socket_permissions": "0700",
        "cluster_name": f"'{cluster_name}'",
    }
    settings = settings_for(machine_memory()) | dict(options) | fixed
    lines = [f"{key} = {value}" for key, value in settings.items()]
    if local.exists():
        lines.append("include '" + str(local).replace("'", "''") + "'")
    head = "# Written anew at every start by `gridbeat db start`; your own settings go into ../local.conf"
    return "\n".join([head, *lines, ""])
