"""The service on Ray Serve: models in replicas, and a front that takes the requests and asks them.

A replica that dies takes the conversations with it that it was predicting; the front, which has them, asks another one.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ray.exceptions import RayActorError
from ray.util.metrics import Counter
from starlette.applications import Starlette

from fmerl.extras import optional_module
from fmerl_platform.serving.incoming import BUSY, Refused
from fmerl_platform.serving.model import open_predictor, predict_together
from fmerl_platform.serving.options import Limits
from fmerl_platform.serving.request import LOOPBACK, ServingRequest
from fmerl_platform.serving.service import About, Conversation, Rows, Service
from fmerl_platform.serving.web import web_application

serve = optional_module("ray.serve", "serve")
schema = optional_module("ray.serve.schema", "serve")

APPLICATION, MODELS = "fmerl", "models"
_TRIES = 5
"""Replicas that may die over a conversation before it is given up."""


@serve.deployment(name=MODELS)
class Models:
    """One copy of the models."""

    def __init__(self, request: ServingRequest) -> None:
        self._predictor = open_predictor(request)
        self.rows.set_max_batch_size(request.replicas.batch)
        self.rows.set_batch_wait_timeout_s(request.replicas.batch_wait)

    @serve.batch
    async def rows(self, conversations: list[Conversation]) -> list[Rows]:
        """Rows of each conversation; Serve gathers them from requests that wait."""
        return await asyncio.to_thread(predict_together, self._predictor, conversations)


@serve.deployment(name="front")
@serve.ingress()
class Front:
    """Takes requests, asks the models for each of their conversations, and asks again when a replica dies."""

    def __init__(self, models: Any, about: About, limits: Limits, hosts: tuple[str, ...]) -> None:
        self._models = models
        self._service = Service(about=about, limits=limits, ask=self._ask, replicas=_ready_replicas, hosts=hosts)
        self._turns = Counter("fmerl_serve_turns", "Turns answered.")
        self._conversations = Counter("fmerl_serve_conversations", "Conversations answered.")
        self._retries = Counter("fmerl_serve_retries", "Conversations asked again after a replica died.")

    def __serve_build_asgi_app__(self) -> Starlette:  # noqa: PLW3201
        return web_application(self._service)

    async def _ask(self, conversation: Conversation) -> Rows:
        for _ in range(_TRIES):
            try:
                rows: Rows = await self._models.rows.remote(conversation)
            except RayActorError:
                self._retries.inc()
            else:
                self._conversations.inc()
                self._turns.inc(len(rows))
                return rows
        raise Refused(BUSY, f"{_TRIES} replicas died over this conversation")


async def _ready_replicas() -> int:
    status = await asyncio.to_thread(serve.status)
    application = status.applications.get(APPLICATION)
    states = {} if application is None else application.deployments[MODELS].replica_states
    return int(states.get("RUNNING", 0))


def application(request: ServingRequest, about: About) -> Any:
    """The application, for `serve.run`."""
    sizes, limits = request.replicas, request.limits
    quiet = schema.LoggingConfig(log_level="ERROR", enable_access_log=False)
    models = Models.options(
        num_replicas=sizes.replicas,
        max_ongoing_requests=2 * sizes.batch,
        logging_config=quiet,
        ray_actor_options={"num_cpus": sizes.cpus_per_replica, "num_gpus": sizes.gpus_per_replica},
    )
    front = Front.options(
        max_ongoing_requests=limits.open,
        max_queued_requests=limits.open,
        logging_config=quiet,
        ray_actor_options={"num_cpus": 0},
    )
    hosts = (*LOOPBACK, "[::1]") if request.host in LOOPBACK else ("*",)
    return front.bind(models.bind(request), about, limits, hosts)
