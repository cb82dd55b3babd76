"""Settings: everything the environment decides, read once in `create_app`; each variable is explained in docs/operations.md."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.webhooktarget import Allowed
from gis.errors import ParameterInvalid
from gis.store.cluster import default_home

#: From least to most; a role may do what those before it may.
ROLES = ("viewer", "member", "dispatcher", "planner", "supervisor", "admin")

#: The key `gridbeat demo` serves with. It is public, so it is refused everywhere else.
DEMO_KEY = "gridbeat-demo-key"


@dataclass(frozen=True)
class Caller:
    """Who calls: the actor that writes are stored under, and the role."""

    actor: str
    role: str

    def may(self, role: str) -> bool:
        """Whether this caller's role is at least `role`."""
        return self.role in ROLES and ROLES.index(self.role) >= ROLES.index(role)


class Settings(BaseSettings):
    """One frozen set of settings, prefix GRIDBEAT_. ParameterInvalid names the variable that cannot be used, never its value."""

    model_config = SettingsConfigDict(env_prefix="GRIDBEAT_", frozen=True, extra="ignore", hide_input_in_errors=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = f"GRIDBEAT_{str(first['loc'][0]).upper()}"
            raise ParameterInvalid(f"{name}: {first['msg'].removeprefix('Value error, ')}", place=name) from None

    database_url: str | None = None
    home: Path = Field(default_factory=lambda: default_home(os.environ, os.geteuid()))
    api_keys: str = ""
    anonymous_role: Literal["viewer", "none"] = "viewer"
    demo: bool = False
    nearest_tolerance_m: Annotated[float, Field(ge=0, le=1_000)] = 10.0
    candidates_within_m: Annotated[float, Field(ge=0, le=1_000)] = 50.0
    max_body_bytes: Annotated[int, Field(ge=1_024)] = 1_048_576
    max_batch_bytes: Annotated[int, Field(ge=1_024)] = 67_108_864
    pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    states_kept: Annotated[int, Field(ge=1, le=100)] = 6
    fixes_off_duty: bool = False
    fixes_kept_days: Annotated[int, Field(ge=0, le=3_660)] = 0
    coverage_days: Annotated[int, Field(ge=8, le=400)] = 35
    revisit_days: Annotated[float, Field(gt=0, le=366)] = 7.0
    sight_m: Annotated[float, Field(ge=5, le=500)] = 25.0
    webhook_allow: str = ""
    webhook_sender: bool = True
    timezone: str = "Asia/Shanghai"
    language: Literal["zh", "en"] = "zh"

    @field_validator("api_keys")
    @classmethod
    def _keys_are_triples(cls, value: str) -> str:
        seen: set[str] = set()
        for entry in filter(None, (part.strip() for part in value.split(","))):
            key, actor, role = (*entry.split(":"), "", "")[:3]
            if not key or not actor or role not in ROLES or entry.count(":") != 2:
                raise ValueError(f"each of GRIDBEAT_API_KEYS is key:actor:role with a role of {', '.join(ROLES)}")
            if key in seen:
                raise ValueError(f"GRIDBEAT_API_KEYS gives one key twice, the second time to {actor}")
            seen.add(key)
        return value

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {value!r}; one is Asia/Shanghai") from error
        return value

    @cached_property
    def zone(self) -> ZoneInfo:
        """Where the town's clocks stand."""
        return ZoneInfo(self.timezone)

    @cached_property
    def webhook_targets(self) -> Allowed:
        """Internal addresses that webhooks may go to. ParameterInvalid when the list cannot be read."""
        return Allowed.parse(self.webhook_allow)

    @cached_property
    def callers(self) -> dict[str, Caller]:
        """Key -> caller. ParameterInvalid when the demo's key is in use outside the demo."""
        triples = [entry.strip().split(":") for entry in self.api_keys.split(",") if entry.strip()]
        callers = {key: Caller(actor, role) for key, actor, role in triples}
        if self.demo:
            callers.setdefault(DEMO_KEY, Caller("demo", "admin"))
        elif DEMO_KEY in callers:
            raise ParameterInvalid(
                "the demo's key is public: choose another for GRIDBEAT_API_KEYS", place="GRIDBEAT_API_KEYS"
            )
        return callers
