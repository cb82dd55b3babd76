from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gis.errors import PostgisMissing
from gis.store import postgres, tuning
from gis.store.postgres import Account, Programs

MB = 1 << 20


def machine_with(tmp_path: Path, **versions: str | None) -> list[Programs]:
    """The programs found on a drawn machine: pg15="3.3.2" is PostgreSQL 15 with PostGIS 3.3.2, pg13=None has no PostGIS."""
    for name, postgis in versions.items():
        major = name.removeprefix("pg")
        bindir = tmp_path / "lib" / major / "bin"
        bindir.mkdir(parents=True)
        for program in ("initdb", "pg_ctl", "pg_dump"):
            (bindir / program).touch()
        if postgis:
            control = tmp_path / "share" / major / "extension" / "postgis.control"
            control.parent.mkdir(parents=True)
            control.write_text(f"# postgis extension\ndefault_version = '{postgis}'\nrelocatable = false\n")
    return postgres.installed([tmp_path / "lib"], tmp_path / "share")


def test_the_newest_postgresql_that_has_postgis_is_taken(tmp_path: Path) -> None:
    found = machine_with(tmp_path, pg9=None, pg14="3.2.0", pg16="3.4.2", pg17=None)
    assert [programs.major for programs in found] == [17, 16, 14, 9]
    assert postgres.newest(found).major == 16


def test_without_postgresql_the_apt_line_is_said() -> None:
    with pytest.raises(PostgisMissing, match=r"no PostgreSQL(.|\n)*apt-get install postgresql-postgis"):
        postgres.newest([])


@pytest.mark.parametrize(
    ("major", "postgis", "said"),
    [
        ("pg13", "3.4.0", "PostgreSQL 13 with PostGIS 3.4.0"),
        ("pg15", "3.1.9", "PostgreSQL 15 with PostGIS 3.1.9"),
        ("pg15", None, r"PostgreSQL 15 \(no PostGIS\)"),
    ],
)
def test_what_is_too_old_or_lacks_postgis_is_named_in_the_refusal(
    tmp_path: Path, major: str, postgis: str | None, said: str
) -> None:
    found = machine_with(tmp_path, **{major: postgis})
    with pytest.raises(PostgisMissing, match=said) as refused:
        postgres.newest(found)
    assert "PostgreSQL 14 or newer with PostGIS 3.2 or newer is needed" in refused.value.message
    assert "GRIDBEAT_DATABASE_URL" in refused.value.message


def test_a_development_version_of_postgis_is_read(tmp_path: Path) -> None:
    assert postgres.newest(machine_with(tmp_path, pg18="3.6.0dev")).postgis == (3, 6, 0)


def test_data_of_a_version_that_was_removed_are_refused_with_the_package_to_install(tmp_path: Path) -> None:
    found = machine_with(tmp_path, pg17="3.5.0")
    with pytest.raises(PostgisMissing, match="apt-get install postgresql-15-postgis-3"):
        postgres.for_data(15, found)
    assert postgres.for_data(17, found).major == 17


def test_a_dump_is_made_by_the_oldest_client_that_the_server_accepts(tmp_path: Path) -> None:
    found = machine_with(tmp_path, pg14=None, pg15=None, pg17=None)
    assert [postgres.client_for(server, found).major for server in (13, 15, 16, 17)] == [14, 15, 17, 17]
    with pytest.raises(PostgisMissing, match="apt-get install postgresql-client-18"):
        postgres.client_for(18, found)


def test_this_machine_has_a_usable_postgis() -> None:
    assert postgres.newest().serves


def test_programs_run_without_the_callers_postgresql_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("PGOPTIONS", "-c fsync=off")
    monkeypatch.setenv("LC_MESSAGES", "zh_CN.UTF-8")
    code, said = postgres.run(["env"], Account(os.geteuid(), os.getegid()), cwd=tmp_path)
    assert code == 0
    assert not [line for line in said.splitlines() if line.startswith(("PG", "LC_MESSAGES"))]


def test_an_owned_file_has_the_wanted_mode(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch(0o644)
    Account(os.geteuid(), os.getegid()).own(path, 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_settings_grow_with_the_memory_and_stay_within_bounds() -> None:
    small, usual, large = (tuning.settings_for(memory * MB) for memory in (512, 8192, 262144))
    assert [s["shared_buffers"] for s in (small, usual, large)] == ["128MB", "2048MB", "4096MB"]
    assert [s["work_mem"] for s in (small, usual, large)] == ["8MB", "32MB", "64MB"]
    assert [s["maintenance_work_mem"] for s in (small, usual, large)] == ["64MB", "409MB", "1024MB"]


def test_a_containers_limit_counts_as_the_machines_memory(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{256 * MB}\n")
    assert tuning.machine_memory(limit) == 256 * MB
    limit.write_text("max\n")
    assert tuning.machine_memory(limit) == tuning.machine_memory(tmp_path / "absent") > 256 * MB


def test_the_operators_own_file_comes_last_and_the_socket_cannot_be_opened_to_the_network(tmp_path: Path) -> None:
    local = tmp_path / "local.conf"
    before = tuning.configuration("gridbeat-x", tmp_path, {"listen_addresses": "'*'", "work_mem": "1MB"}, local)
    assert "listen_addresses = ''" in before
    assert "work_mem = 1MB" in before
    assert "include" not in before
    local.touch()
    assert tuning.configuration("gridbeat-x", tmp_path, {}, local).splitlines()[-1] == f"include '{local}'"


def test_shared_memory_that_others_may_not_write_or_that_is_absent_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert tuning.shared_memory_kind(tmp_path) == "mmap"
    assert tuning.shared_memory_kind(tmp_path / "absent") == "mmap"
