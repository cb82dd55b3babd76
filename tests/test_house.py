"""The rules of the house, as far as a program can read them."""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

ROOT = Path(__file__).parents[1]
PACKAGES = ("gis", "api", "maps", "data")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONTRACTS = {contract["name"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
LONGEST_MEDIAN = 8
LONGEST_README = 60

#: A limit that would hurt a good design is lifted here, with the reason.
LONG_MODULES: dict[str, str] = {
    "gis/errors.py": "one tree of all refusals, read from its drawing; a second file would hide half of it",
}
LONG_FUNCTIONS: dict[str, str] = {}

#: words.md: a word that is banned in names -> what to say, and in which packages ("" = all).
BANNED: dict[str, tuple[str, str]] = {
    "lng": ("lon", ""),
    "latlng": ("lon, lat", ""),
    "heat": ("hotspot", ""),
    "heatmap": ("hotspot", ""),
    "incident": ("event", ""),
    "incidents": ("event", ""),
    "ticket": ("event", ""),
    "tickets": ("event", ""),
    "hit": ("assignment", ""),
    "hits": ("assignment", ""),
    "contains": ("covers", ""),
    "scenario": ("plan", ""),
    "activate": ("publish", ""),
    "diff": ("crosswalk, flow", ""),
    "utils": ("the noun it is about", ""),
    "util": ("the noun it is about", ""),
    "helpers": ("the noun it is about", ""),
    "helper": ("the noun it is about", ""),
    "misc": ("the noun it is about", ""),
    "worker": ("member", "gis data maps"),  # the server's processes are workers in api
    "workers": ("member", "gis data maps"),
    "route": ("track, street", "gis data maps"),  # HTTP routes live in api
    "revision": ("generation", "api data maps"),  # Alembic's word, at home in gis.store
}
#: Spellings of contract.md and of foreign interfaces that a name has to have.
SPELLED_ELSEWHERE: dict[str, str] = {}

#: What makes a kernel function depend on more than its arguments.
IMPURE = {
    "os.environ", "os.getenv", "time.time", "time.monotonic", "time.perf_counter", "datetime.now", "datetime.utcnow",
    "datetime.today", "date.today", "np.random.rand", "np.random.seed", "numpy.random.seed", "open", "uuid.uuid4",
}  # fmt: skip
IMPURE_MODULES = {"os", "time", "random", "secrets", "socket", "subprocess", "requests", "urllib.request", "tempfile"}


@cache
def sources() -> dict[str, str]:
    """Every module of the four packages: path in the project -> text."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in found if "node_modules" not in p.parts}


@cache
def trees() -> dict[str, ast.Module]:
    return {path: ast.parse(text) for path, text in sources().items()}


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{path}:{node.name}", node


def length(function: Function) -> int:
    """Lines from `def` to the last one, without the docstring: explaining is free."""
    first = function.body[0]
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    explained = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - explained


def kernel() -> set[str]:
    return {"gis." + Path(path).stem for path in sources() if re.fullmatch(r"gis/(?!__)\w+\.py", path)}


# -- sizes ------------------------------------------------------------------------------------------------------------


def test_no_module_is_too_long() -> None:
    pages = [p for p in (ROOT / "maps" / "web" / "pages").rglob("*") if p.suffix in {".js", ".ts", ".css", ".html"}]
    texts = sources() | {str(page.relative_to(ROOT)): page.read_text("utf-8") for page in pages}
    lengths = {path: text.count("\n") for path, text in texts.items() if path not in LONG_MODULES}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_no_function_is_too_long_and_most_are_short() -> None:
    lengths = {name: length(node) for name, node in functions()}
    too_long = {
        name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION and name not in LONG_FUNCTIONS
    }
    assert too_long == {}
    assert statistics.median(length(node) for _, node in functions()) <= LONGEST_MEDIAN


def test_every_exception_is_still_needed() -> None:
    lengths = {name: length(node) for name, node in functions()}
    assert [name for name in LONG_FUNCTIONS if lengths.get(name, 0) <= LONGEST_FUNCTION] == []
    assert [path for path in LONG_MODULES if sources().get(path, "").count("\n") <= LONGEST_MODULE] == []


def test_the_readme_fits_on_one_screen() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert 10 < len(lines) <= LONGEST_README


# -- direction --------------------------------------------------------------------------------------------------------


def test_the_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contracts_name_every_module_of_the_kernel() -> None:
    layers = CONTRACTS["Dependencies point inwards"]["layers"]
    assert set(layers[-1].split(" : ")) == kernel()
    assert set(CONTRACTS["The kernel is pure"]["source_modules"]) == kernel()


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def impurities(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        yield from (module for module in imported(node) if module in IMPURE_MODULES)
        spelled = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name | ast.Call) else ""
        is_generator = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng")
        if spelled in IMPURE or is_generator:
            yield spelled


def test_the_kernel_has_no_clock_no_environment_and_no_chance() -> None:
    impure = {
        path: sorted(set(impurities(tree))) for path, tree in trees().items() if re.fullmatch(r"gis/\w+\.py", path)
    }
    assert {path: found for path, found in impure.items() if found} == {}


def test_impurities_are_seen() -> None:
    text = (
        "import random, numpy as np\nfrom datetime import datetime\na = datetime.now()\nb = np.random.default_rng(1)\n"
    )
    assert sorted(impurities(ast.parse(text))) == ["datetime.now", "np.random.default_rng(1)", "random"]


# -- words ------------------------------------------------------------------------------------------------------------


def parts(name: str) -> list[str]:
    """The words of a snake_case or CamelCase name, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def names() -> Iterator[tuple[str, str]]:
    """(path, name) of every module, class, function and parameter."""
    for path, tree in trees().items():
        yield path, Path(path).stem
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node.name
            elif isinstance(node, ast.arg):
                yield path, node.arg


def banned(path: str, name: str) -> Iterator[str]:
    package = path.split("/")[0]
    for word in parts(name):
        instead, where = BANNED.get(word, ("", ""))
        if instead and (not where or package in where.split()) and f"{path}:{name}" not in SPELLED_ELSEWHERE:
            yield f"{path}: {name}: say {instead}, not {word}"


def test_names_use_the_words_of_the_house() -> None:
    assert sorted({complaint for path, name in names() for complaint in banned(path, name)}) == []


def test_tables_and_columns_use_the_words_of_the_house() -> None:
    from gis.store.tables import metadata

    stored = [name for table in metadata.tables.values() for name in (table.name, *(c.name for c in table.columns))]
    assert sorted({complaint for name in stored for complaint in banned("gis/store/tables.py", name)}) == []


@pytest.mark.parametrize("name", ["point_lng", "HeatLayer", "incident", "gridContains", "TicketQueue"])
def test_a_banned_word_is_seen_wherever_it_stands_in_a_name(name: str) -> None:
    assert list(banned("gis/x.py", name))


@pytest.mark.parametrize("name", ["cheat", "white", "shift", "diffuse", "uncommon"])
def test_a_word_that_only_holds_a_banned_one_is_free(name: str) -> None:
    assert not list(banned("gis/x.py", name))


# -- documents --------------------------------------------------------------------------------------------------------


def document(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def test_every_setting_is_documented() -> None:
    from api.settings import Settings

    text = document("operations.md")
    variables = {f"GRIDBEAT_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in variables if f"`{name}`" not in text} == set()
    assert set(re.findall(r"`(GRIDBEAT_[A-Z_]+)`", text)) <= variables | {"GRIDBEAT_SHARED"}


def routes() -> Iterator[tuple[str, str]]:
    """(method, path) of everything that the application answers, as OpenAPI and the router know it."""
    from api.app import create_app
    from api.settings import Settings

    app = create_app(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    try:
        for path, item in app.openapi()["paths"].items():
            yield from ((method.upper(), path) for method in item)
        for route in app.routes:
            for method in (getattr(route, "methods", None) or set()) - {"HEAD", "OPTIONS"}:
                yield method, getattr(route, "path", "")
    finally:
        app.state.engine.dispose()


def without_names(text: str) -> str:
    """The text with `{}` for every path parameter, whatever its name."""
    return re.sub(r"\{[^}]*\}", "{}", text)


def test_every_route_is_documented() -> None:
    written = without_names(document("api.md"))
    known = {f"{method} {without_names(path)}" for method, path in routes()}
    assert {route for route in known if not re.search(re.escape(route) + r"(?![\w/])", written)} == set()


def test_the_application_has_the_routes_that_the_contract_names() -> None:
    paths = {path for _, path in routes()}
    assert {"/v1/locate", "/v1/events", "/v1/grids", "/v1/generations", "/healthz", "/readyz"} <= paths


def commands() -> Iterator[tuple[str, Any]]:
    """(full name, command) of every command of the terminal."""
    import typer.main

    from api.cli import app

    def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
            return
        for word, sub in inner.items():
            yield from below(f"{name} {word}", sub)

    yield from below("gridbeat", typer.main.get_command(app))


def test_every_command_and_option_is_documented() -> None:
    text = document("commands.md")
    missing = []
    for name, command in commands():
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
            missing.append(name)
        options = [max(param.opts, key=len) for param in command.params if param.opts[0].startswith("-")]
        missing += [f"{name} {option}" for option in options if option != "--help" and f"{option}" not in text]
    assert missing == []


def test_the_terminal_has_the_commands_that_the_contract_names() -> None:
    found = {name for name, _ in commands()}
    wanted = "demo|serve|db start|db stop|db status|db migrate|db backup|db restore|check|load grids|load events|locate|map grids"
    assert {f"gridbeat {name}" for name in wanted.split("|")} <= found


def test_every_command_explains_itself() -> None:
    assert [name for name, command in commands() if not (command.help or "").strip()] == []


def test_the_changelog_is_kept() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert text.startswith("# Changelog")
    assert re.search(r"^## \[(Unreleased|\d+\.\d+\.\d+)\]", text, re.MULTILINE)


# -- nothing from outside ---------------------------------------------------------------------------------------------


def test_our_pages_name_no_address_outside() -> None:
    pages = [p for p in (ROOT / "maps" / "web" / "pages").rglob("*") if p.is_file()]
    assert pages
    found = {str(p.relative_to(ROOT)): re.findall(r"https?://[^\s\"'`)]+", p.read_text("utf-8")) for p in pages}
    foreign = {
        path: [a for a in addresses if not a.startswith("http://www.w3.org/")] for path, addresses in found.items()
    }
    assert {path: addresses for path, addresses in foreign.items() if addresses} == {}


def test_the_locks_name_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in lock
    assert not re.search(r"--(extra-)?index-url|--find-links", lock)
    packages = json.loads((ROOT / "maps" / "web" / "package-lock.json").read_text("utf-8"))["packages"]
    assert {name for name, entry in packages.items() if "://" in str(entry.get("resolved", ""))} == set()


def test_the_lock_holds_every_dependency_with_hashes() -> None:
    project = PYPROJECT["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text("utf-8").strip())
    locked = {re.split(r"[=\s]", block)[0]: "--hash=sha256:" in block for block in blocks}
    assert {name for d in wanted if (name := re.split(r"[\[<>=;\s]", d)[0].lower()) and not locked.get(name)} == set()
    assert [name for name, hashed in locked.items() if not hashed] == []


# -- tests and tools --------------------------------------------------------------------------------------------------


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    words = re.compile(r"mark\.(skip|skipif|xfail)|pytest\.(skip|xfail|importorskip)\(")
    found = [p for p in (ROOT / "tests").rglob("*.py") if p != Path(__file__) and words.search(p.read_text("utf-8"))]
    assert found == []


def test_tests_read_nothing_outside_the_project() -> None:
    found = [p for p in (ROOT / "tests").rglob("test_*.py") if p != Path(__file__) and "/work/" in p.read_text("utf-8")]
    assert found == []


def test_precommit_runs_the_very_checks_of_the_script() -> None:
    hooks = re.findall(r"entry: sh scripts/check (\w+)", (ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    script = (ROOT / "scripts" / "check").read_text("utf-8")
    assert hooks == re.findall(r"^    (\w+)\) \.venv", script, re.MULTILINE)
    assert hooks == re.findall(r"set -- (.*)", script)[0].split()


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file()))
def test_scripts_are_plain_sh(script: str) -> None:
    path = ROOT / "scripts" / script
    assert path.read_text("utf-8").startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0


def test_every_stored_table_lies_in_the_schema_that_backups_hold(connection: sa.Connection) -> None:
    stray = connection.execute(
        sa.text("""
        SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND n.nspname NOT IN ('gridbeat', 'information_schema')
          AND n.nspname NOT LIKE 'pg\\_%'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    """)
    ).all()
    assert stray == []
