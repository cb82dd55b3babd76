"""The application: settings read once, one engine, one Live; routers, errors and static files put together."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from api import errors
from api.docs_page import docs_html
from api.express import Express
from api.gathering import Gathering
from api.memory import give_back, share_arenas
from api.routers import (
    campaigns,
    coverage,
    events,
    exchange,
    grids,
    links,
    locate,
    maps,
    members,
    open311,
    operations,
    patrols,
    plandecisions,
    plans,
    policy,
    settling,
    signin,
    spotchecks,
    webhooks,
)
from api.settings import Settings
from data.coverage import LiveCoverage
from data.coverageground import LiveGround
from data.decide import Policy
from data.evidence import LiveEvidence
from data.plans import Drafts
from data.reassign import BackgroundReassigner
from data.together import keep_together
from data.webhooks import BackgroundSender
from gis.errors import GridError, ParameterInvalid
from gis.locate import compile_kernels
from gis.store.engine import create_engine
from gis.store.errors import translating
from gis.store.evidence import has_fixes
from gis.store.live import Live
from gis.store.townloads import LiveLoads
from maps.base import static_routes

log = logging.getLogger("gridbeat.api")

ROUTERS = (
    locate,
    events,
    settling,
    links,
    grids,
    plans,
    plandecisions,
    exchange,
    maps,
    operations,
    policy,
    open311,
    webhooks,
    members,
    patrols,
    coverage,
    spotchecks,
    campaigns,
    signin,
)

#: Seconds that a thread may keep the interpreter while another waits. Threads that speak with the store wait for it after every
#: message: with Python's 5 ms they stand still in a rush.
SWITCH_S = 0.0005

DESCRIPTION = """
The spatial service for grid-based governance: every report finds its grid.

Coordinates are WGS 84 lon, lat unless a `crs` is declared; times are RFC 3339 with offset; errors are
`application/problem+json` with a stable `code`. Writes need an API key (`Authorization: Bearer ...`).
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application over the store that `GRIDBEAT_DATABASE_URL` names; `gridbeat serve` and `demo` set it.

    Raises ParameterInvalid without a database address, or when the demo's public key is used outside the demo.
    """
    given = settings or Settings()
    if given.database_url is None:
        raise ParameterInvalid(
            "no database: start with `gridbeat serve`, or set GRIDBEAT_DATABASE_URL", place="GRIDBEAT_DATABASE_URL"
        )
    given.callers, given.webhook_targets  # noqa: B018 - refused now, not at the first request
    app = FastAPI(
        title="Gridbeat", version="0.1.0", description=DESCRIPTION, docs_url=None, redoc_url=None, lifespan=_lifespan
    )
    app.state.settings = given
    app.state.engine = create_engine(given.database_url, pool_size=given.pool_size)
    app.state.taking = 0
    app.state.turns = asyncio.Semaphore(given.pool_size)
    app.state.live = Live(given.states_kept)
    app.state.drafts = Drafts()
    app.state.loads = LiveLoads()
    app.state.coverage = LiveCoverage(LiveEvidence(ZoneInfo(given.timezone), given.coverage_days), LiveGround())
    app.state.policy = Policy(given.nearest_tolerance_m, given.candidates_within_m)
    app.state.gathering = Gathering(
        lambda submissions: keep_together(app.state.engine, app.state.live, submissions, app.state.policy)
    )
    errors.install(app)
    app.add_middleware(Express)
    for module in ROUTERS:
        app.include_router(module.router)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    for prefix, folder in static_routes():
        app.mount(prefix, StaticFiles(directory=folder, check_dir=False), name=prefix)
    return app


def _docs(lang: Literal["zh", "en"] = "zh") -> HTMLResponse:
    """The API to read and try out, from our own files."""
    return HTMLResponse(docs_html(lang=lang))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The boundaries are loaded before the first request if the store answers; without it the service starts and says 503."""
    share_arenas()
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    await run_in_threadpool(_warm, app)
    give_back()
    gc.freeze()  # what is here now stays: looking through it for garbage would halt every request for a fifth of a second
    sender = BackgroundSender(app.state.engine, app.state.settings.webhook_targets)
    if app.state.settings.webhook_sender:
        sender.start()
    reassigner = BackgroundReassigner(app.state.engine, app.state.policy)
    reassigner.start()
    warming = threading.Thread(target=_warm_evidence, args=(app,), name="evidence", daemon=True)
    warming.start()
    yield
    await run_in_threadpool(warming.join)
    await run_in_threadpool(reassigner.stop)
    await run_in_threadpool(sender.stop)
    app.state.engine.dispose()
    gc.unfreeze()
    sys.setswitchinterval(before)


def _warm(app: FastAPI) -> None:
    # Made at set-up; where that was another user's, this start takes some twenty seconds longer, and no request does.
    compile_kernels()
    try:
        with translating(), app.state.engine.connect() as connection:
            state = app.state.live.state(connection, app.state.live.now(connection))
            if len(state.index):
                state.claims(state.index.layers)
    except GridError as error:
        log.warning("boundaries are not loaded yet: %s", error.message)


def _warm_evidence(app: FastAPI) -> None:
    """Where there are fixes, the first to ask about coverage does not wait for the weeks before to be read."""
    try:
        with translating(), app.state.engine.connect() as connection:
            if has_fixes(connection):
                app.state.coverage.evidence.evidence(connection, app.state.live, app.state.settings.sight_m)
    except GridError as error:
        log.warning("evidence of patrols is not loaded yet: %s", error.message)
