"""The second socket, opened first: what supervisors, peers and operators ask. It never waits for the writer."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from softlanding.lifecycle import Phases, Work
from softlanding.telemetry import METRICS_CONTENT_TYPE, Metrics


class Health:
    """What is known of this process: its phases from the first moment, its work once there is one."""

    def __init__(self, service: str, phases: Phases, are_loops_turning: Callable[[], bool], metrics: Metrics) -> None:
        self.service = service
        self.phases = phases
        self.are_loops_turning = are_loops_turning
        self.metrics = metrics
        self.work: Work | None = None
        self.extra: dict[str, Any] = {}

    def readiness(self) -> tuple[int, str]:
        if self.phases.is_standby:
            return 503, "standby"
        if not self.phases.is_ready or self.work is None:
            return 503, "starting"
        return 503 if self.work.troubles.stops else 200, self.work.state


def make_health_app(health: Health) -> Starlette:
    """`/-/{service}/livez readyz state metrics beat`."""

    async def livez(_request: Request) -> Response:
        return JSONResponse({"alive": True}) if health.are_loops_turning() else JSONResponse({"alive": False}, 503)

    async def readyz(_request: Request) -> Response:
        status, word = health.readiness()
        return JSONResponse({"state": word, "phase": health.phases.phase}, status)

    async def state(_request: Request) -> Response:
        summary = health.work.summary() if health.work is not None else health.phases.summary()
        return JSONResponse({"service": health.service, "state": health.readiness()[1]} | summary | health.extra)

    async def metrics(_request: Request) -> Response:
        return Response(health.metrics.text(), media_type=METRICS_CONTENT_TYPE)

    async def beat(_request: Request) -> Response:
        if health.work is None or health.work.beat is None:
            return JSONResponse({"state": health.readiness()[1]}, 503)
        # As said now: who has slept must not be taken for one whose clock is wrong. The count tells that it is a copy.
        said = health.work.beat.model_copy(update={"at": health.work.parts.clock.now()})
        return Response(said.to_json(), media_type="application/json")

    prefix = f"/-/{health.service}"
    routes = [
        Route(f"{prefix}/{name}", endpoint)
        for name, endpoint in (
            ("livez", livez),
            ("readyz", readyz),
            ("state", state),
            ("metrics", metrics),
            ("beat", beat),
        )
    ]
    return Starlette(routes=routes)
