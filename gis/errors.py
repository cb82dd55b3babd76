"""Every refusal of this project, one tree.

    GridError
    ├── InputError            what was sent cannot be used (400, 413, 422)
    │   ├── CoordinateInvalid     coordinate-invalid      not finite, out of range, 0/0
    │   ├── DatumUnknown          datum-unknown           no such crs
    │   ├── DatumOutside          datum-outside           gcj02 / bd09 where the formula is not defined
    │   ├── DatumContradiction    datum-contradiction     the file says one crs, the caller another
    │   ├── TimeInvalid           time-invalid            no offset, unreadable, too far in the future or past
    │   ├── CodeInvalid           code-invalid            a code that does not fit its profile
    │   ├── FileUnreadable        file-unreadable         format, encoding, missing member, zip bomb
    │   ├── FieldMissing          field-missing           a needed column or property is absent
    │   ├── GeometryInvalid       geometry-invalid        empty, not a polygon, self-crossing
    │   ├── BodyUnreadable        body-unreadable         broken JSON, wrong shape
    │   ├── BodyTooLarge          body-too-large          (413)
    │   ├── TargetRefused         target-refused          a webhook's address is malformed, internal or unknown
    │   ├── BatchRefused          batch-refused           rows of an all-or-nothing batch were rejected
    │   ├── OperationInvalid      operation-invalid       an operation's members, types or geometry
    │   ├── RedrawRefused         an operation that these boundaries do not allow
    │   │   ├── GridMissing           grid-missing            names a grid that is not there
    │   │   ├── CodeTaken             code-taken              in use or void
    │   │   ├── LineMisses            line-misses             does not divide the ground
    │   │   ├── LineAlongBorder       line-along-border       runs along the border only
    │   │   ├── LineCrossesItself     line-crosses-itself
    │   │   ├── PieceTooSmall         piece-too-small         would leave less than 1 m2
    │   │   ├── GridsApart            grids-apart             do not touch
    │   │   ├── ParentsDiffer         parents-differ          two parents, and nobody said across_parent
    │   │   ├── GridSwallowed         grid-swallowed          nothing would be left of it
    │   │   ├── AreaOutside           area-outside            of the grid, the parent, or all ground
    │   │   ├── GroundTaken           ground-taken            another grid of the layer and level has it
    │   │   ├── GridsBelow            grids-below             has grids below that would not follow
    │   │   └── PartitionBroken       partition-broken        would overlap or not meet vertex for vertex
    │   └── ParameterInvalid      parameter-invalid       unknown or unusable parameter
    ├── Conflict              the state of the world says no (409)
    │   ├── TopologyRefused       topology-refused        findings with severity error
    │   ├── GenerationOrder       generation-order        effective before the newest published one
    │   ├── KeyReused             key-reused              same key, other body
    │   ├── ShiftOverlaps         shift-overlaps          the member has another shift, or leave, then
    │   ├── CampaignTaken         campaign-taken          another campaign has the code
    │   ├── Stale                 stale                   somebody else changed it in between (412)
    │   └── StateConflict         state-conflict          e.g. nothing changed, no generation yet
    ├── NotFound              (404)
    │   ├── GridUnknown           grid-unknown
    │   ├── CategoryUnknown       category-unknown
    │   ├── WebhookUnknown        webhook-unknown         or its delivery
    │   ├── PlanUnknown           plan-unknown
    │   ├── MemberUnknown         member-unknown
    │   ├── PlaceUnknown          place-unknown           no must-visit place
    │   ├── ShiftUnknown          shift-unknown           nor leave
    │   ├── SpotcheckUnknown      spotcheck-unknown       or a grid that it did not draw
    │   ├── CampaignUnknown       campaign-unknown
    │   └── EventUnknown          event-unknown
    ├── CodeVoided            code-voided             gone, with successors (410)
    ├── NotAllowed            key-missing, role-too-low (401, 403)
    └── Unavailable           (503)
        ├── EvidencePending       evidence-pending
        ├── DatabaseUnavailable   database-unavailable
        └── PostgisMissing        postgis-missing         says the apt line

A leaf has a stable `code` (clients may switch on it) and says where the fault lies: `place` is a row number, a field, a
file member, or a grid code. `details` are further facts that go into the answer as they are; they must be JSON values.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GridError(Exception):
    """Something was refused; `code` says what kind, `place` says where, `details` the facts."""

    code: ClassVar[str] = "grid-error"

    def __init__(self, message: str, *, place: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.details = details


class InputError(GridError):
    """What was sent cannot be used."""

    code = "input-invalid"


class CoordinateInvalid(InputError):
    """A coordinate is not finite, out of range, or 0/0."""

    code = "coordinate-invalid"


class DatumUnknown(InputError):
    """No such coordinate reference system."""

    code = "datum-unknown"


class DatumOutside(InputError):
    """A gcj02 or bd09 coordinate lies outside the range in which the formula is defined."""

    code = "datum-outside"


class DatumContradiction(InputError):
    """A file names one coordinate reference system and the caller another."""

    code = "datum-contradiction"


class TimeInvalid(InputError):
    """A time has no offset, cannot be read, or is too far in the future or the past."""

    code = "time-invalid"


class CodeInvalid(InputError):
    """A grid code does not fit its profile."""

    code = "code-invalid"


class FileUnreadable(InputError):
    """A file's format, encoding or members cannot be read."""

    code = "file-unreadable"


class FieldMissing(InputError):
    """A needed column or property is absent."""

    code = "field-missing"


class GeometryInvalid(InputError):
    """A geometry is empty, not polygonal, or crosses itself."""

    code = "geometry-invalid"


class BodyUnreadable(InputError):
    """A body is not the JSON, CSV or GeoJSON that it should be."""

    code = "body-unreadable"


class BodyTooLarge(InputError):
    """A body or a text is longer than is accepted."""

    code = "body-too-large"


class TargetRefused(InputError):
    """A webhook's address is malformed, unknown to the name service, or lies inside."""

    code = "target-refused"


class BatchRefused(InputError):
    """Rows of an all-or-nothing batch were rejected, so none of it is stored."""

    code = "batch-refused"


class OperationInvalid(InputError):
    """An operation has an unknown or missing member, a wrong type, or a geometry that is none; `place` is the member."""

    code = "operation-invalid"


class RedrawRefused(InputError):
    """The boundaries do not allow this operation; `place` is its member at fault."""

    code = "redraw-refused"


class GridMissing(RedrawRefused):
    """An operation names a grid that is not there, or not in the layer and level it needs."""

    code = "grid-missing"


class CodeTaken(RedrawRefused):
    """A new code is in use, void, or given twice."""

    code = "code-taken"


class LineMisses(RedrawRefused):
    """A line does not divide the ground it was drawn for."""

    code = "line-misses"


class LineAlongBorder(RedrawRefused):
    """A line runs along the border and nowhere through the ground."""

    code = "line-along-border"


class LineCrossesItself(RedrawRefused):
    """A line crosses or touches itself."""

    code = "line-crosses-itself"


class PieceTooSmall(RedrawRefused):
    """A piece of less than 1 m2 would come into being."""

    code = "piece-too-small"


class GridsApart(RedrawRefused):
    """Grids, or a grid and the ground it is to get, share no border."""

    code = "grids-apart"


class ParentsDiffer(RedrawRefused):
    """Grids have different parents; a border between parents moves only with `across_parent`, a merge never."""

    code = "parents-differ"


class GridSwallowed(RedrawRefused):
    """Nothing would be left of a grid that is not retired."""

    code = "grid-swallowed"


class AreaOutside(RedrawRefused):
    """An area lies outside the grid, the parent, or all ground that it is for."""

    code = "area-outside"


class GroundTaken(RedrawRefused):
    """Another grid of the same layer and level has the ground."""

    code = "ground-taken"


class GridsBelow(RedrawRefused):
    """A grid has grids below it that cannot follow."""

    code = "grids-below"


class PartitionBroken(RedrawRefused):
    """Afterwards grids would overlap or not meet vertex for vertex."""

    code = "partition-broken"


class ParameterInvalid(InputError):
    """A parameter is unknown or its value unusable."""

    code = "parameter-invalid"


class Conflict(GridError):
    """The state of the world says no."""

    code = "conflict"


class TopologyRefused(Conflict):
    """A partition has findings with severity error."""

    code = "topology-refused"


class GenerationOrder(Conflict):
    """A generation would take effect before the newest published one."""

    code = "generation-order"


class KeyReused(Conflict):
    """An idempotency key or external id came again with other content."""

    code = "key-reused"


class ShiftOverlaps(Conflict):
    """A member's shifts never overlap, nor do spans of leave; `details` name the one that stands."""

    code = "shift-overlaps"


class CampaignTaken(Conflict):
    """Another campaign has this code; `details` say which."""

    code = "campaign-taken"


class Stale(Conflict):
    """Somebody else changed it since it was read."""

    code = "stale"


class StateConflict(Conflict):
    """The call does not fit the present state."""

    code = "state-conflict"


class NotFound(GridError):
    """There is no such thing."""

    code = "not-found"


class GridUnknown(NotFound):
    """No grid has this code or uid at that instant."""

    code = "grid-unknown"


class CategoryUnknown(NotFound):
    """No active category has this code."""

    code = "category-unknown"


class WebhookUnknown(NotFound):
    """No webhook, or no delivery of it, has this id."""

    code = "webhook-unknown"


class PlanUnknown(NotFound):
    """No plan has this id."""

    code = "plan-unknown"


class MemberUnknown(NotFound):
    """No member has this code."""

    code = "member-unknown"


class PlaceUnknown(NotFound):
    """No must-visit place has this code."""

    code = "place-unknown"


class ShiftUnknown(NotFound):
    """No shift, or no span of leave, has this id."""

    code = "shift-unknown"


class SpotcheckUnknown(NotFound):
    """No spot check has this id, or it did not draw this grid."""

    code = "spotcheck-unknown"


class CampaignUnknown(NotFound):
    """No campaign has this code."""

    code = "campaign-unknown"


class EventUnknown(NotFound):
    """No event has this id."""

    code = "event-unknown"


class CodeVoided(GridError):
    """The code was in use once and is void; `details["successors"]` lists who came after."""

    code = "code-voided"


class NotAllowed(GridError):
    """The caller may not do this."""

    code = "not-allowed"


class KeyMissing(NotAllowed):
    """No API key, or an unknown one."""

    code = "key-missing"


class RoleTooLow(NotAllowed):
    """The key's role does not allow this."""

    code = "role-too-low"


class Unavailable(GridError):
    """A part that is needed does not answer."""

    code = "unavailable"


class EvidencePending(Unavailable):
    """The weeks of patrols before are still being read; soon they are there."""

    code = "evidence-pending"


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""

    code = "database-unavailable"


class PostgisMissing(Unavailable):
    """No PostgreSQL with PostGIS on this machine; the message says how to install it."""

    code = "postgis-missing"
