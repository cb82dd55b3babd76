"""Settings: read once, refused early, secrets of the demo refused outside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.app import create_app
from api.settings import DEMO_KEY, ROLES, Caller, Settings
from gis.errors import ParameterInvalid


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDBEAT_DATABASE_URL", "postgresql://x/y")
    monkeypatch.setenv("GRIDBEAT_API_KEYS", "k1:ann:viewer, k2:bob:admin")
    monkeypatch.setenv("GRIDBEAT_NEAREST_TOLERANCE_M", "25")
    settings = Settings()
    assert settings.database_url == "postgresql://x/y"
    assert settings.callers == {"k1": Caller("ann", "viewer"), "k2": Caller("bob", "admin")}
    assert settings.nearest_tolerance_m == 25.0


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().demo = True  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        {"api_keys": "key"}, {"api_keys": "key:actor"}, {"api_keys": "key:actor:king"}, {"api_keys": ":actor:admin"},
        {"api_keys": "key::admin"}, {"api_keys": "a:b:admin:c"}, {"api_keys": "k:a:admin,k:b:viewer"}, {"nearest_tolerance_m": -1},
        {"candidates_within_m": "nan"}, {"pool_size": 0}, {"anonymous_role": "admin"}, {"timezone": "Mars/Olympus"}, {"timezone": ""},
        {"language": "fr"}, {"max_body_bytes": 1},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_the_start(change: dict[str, object]) -> None:
    with pytest.raises(ParameterInvalid):
        Settings(**change)  # type: ignore[arg-type]


def test_the_demo_s_key_is_refused_outside_the_demo() -> None:
    with pytest.raises(ParameterInvalid, match="public"):
        create_app(Settings(database_url="postgresql://x/y", api_keys=f"{DEMO_KEY}:someone:admin"))
    assert Settings().callers == {}
    assert Settings(demo=True).callers == {DEMO_KEY: Caller("demo", "admin")}


def test_an_application_without_a_database_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match="gridbeat serve"):
        create_app(Settings())


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_the_lower_ones_may(role: str) -> None:
    allowed = [other for other in ROLES if Caller("x", role).may(other)]
    assert allowed == list(ROLES[: ROLES.index(role) + 1])
    assert not Caller("x", "none").may(role)


def test_a_variable_that_cannot_be_used_is_named_and_its_value_kept_to_ourselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GRIDBEAT_API_KEYS", "s3cret-without-a-role")
    with pytest.raises(ParameterInvalid) as refused:
        Settings()
    assert refused.value.place == "GRIDBEAT_API_KEYS"
    assert "key:actor:role" in refused.value.message
    assert "s3cret" not in refused.value.message
    assert refused.value.__suppress_context__  # nor is it in a traceback


def test_the_terminal_says_one_sentence_for_a_setting_a_database_and_a_folder_that_are_none(tmp_path: Path) -> None:
    def said(environment: dict[str, str], *words: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [Path(sys.executable).with_name("gridbeat"), *words],
            env={"PATH": os.environ["PATH"], "GRIDBEAT_HOME": str(tmp_path), **environment},
            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        return done.returncode, done.stderr.splitlines()

    code, (line,) = said({"GRIDBEAT_TIMEZONE": "Mars"}, "db", "status")
    assert (code, "GRIDBEAT_TIMEZONE" in line) == (2, True)
    code, (line,) = said({"GRIDBEAT_DATABASE_URL": "nonsense"}, "db", "migrate")
    assert (code, "GRIDBEAT_DATABASE_URL" in line) == (2, True)
    drawn = tmp_path / "grids.geojson"
    square = '{"type": "Polygon", "coordinates": [[[121, 32], [121.1, 32], [121.1, 32.1], [121, 32]]]}'
    feature = f'{{"type": "Feature", "properties": {{"code": "A"}}, "geometry": {square}}}'
    drawn.write_text(f'{{"type": "FeatureCollection", "features": [{feature}]}}', "utf-8")
    code, lines = said({}, "check", str(drawn), "--report", "/nope/x.json")
    assert (code, lines) == (1, ["gridbeat: /nope/x.json: No such file or directory"])
