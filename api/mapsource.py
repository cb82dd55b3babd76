"""Where `gridbeat map` gets its views: the store, through the same gathering as HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.commands.map import MapRequest
    from maps.grids import GridsView


def from_store(request: MapRequest) -> GridsView:
    """The grids view of a request, with everything a terminal may see."""
    from zoneinfo import ZoneInfo

    from api.session import opened
    from api.settings import Settings
    from data.mapview import MapWish, grids_view
    from gis.store.boundaries import Moment
    from gis.store.events import EventFilter
    from gis.store.live import Live

    settings = Settings()
    live = Live(1)
    wish = MapWish(
        EventFilter(begin=request.since, end=request.until), ZoneInfo(settings.timezone), None, request.lang, notes=True
    )
    with opened(settings) as engine, engine.connect() as connection:
        now = live.now(connection)
        moment = Moment(request.at or now.at, request.known_at or now.known_at)
        return grids_view(connection, live.state(connection, moment), moment, wish)
