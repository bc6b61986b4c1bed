"""The process that takes requests and asks the models for each of their conversations.

A replica that dies takes the conversations with it that it was predicting; the front, which has them, asks another one.
It loads no model, so a fault of one does not end it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ray.exceptions import RayActorError
from ray.util.metrics import Counter
from starlette.applications import Starlette

from fmerl.extras import optional_module
from fmerl_platform.serving.incoming import BUSY, RefusedError
from fmerl_platform.serving.options import Limits
from fmerl_platform.serving.service import About, Conversation, Rows, Service
from fmerl_platform.serving.web import web_application

serve = optional_module("ray.serve", "serve")

APPLICATION, MODELS = "fmerl", "models"
"""Names of the application and of the models' deployment."""
_TRIES = 5
"""Replicas that may die over a conversation before it is given up."""


class Front:
    """The routes, for Serve to run.

    Args:
        models: Handle of the models' deployment.
        about: What is told of the bundle.
        limits: Bounds on what comes in.
        hosts: Names that requests may address the service by.
    """

    def __init__(self, models: Any, about: About, limits: Limits, hosts: tuple[str, ...]) -> None:
        self._models = models
        self._service = Service(about=about, limits=limits, ask=self._ask, replicas=_ready_replicas, hosts=hosts)
        self._turns = Counter("fmerl_serve_turns", "Turns answered.")
        self._conversations = Counter("fmerl_serve_conversations", "Conversations answered.")
        self._retries = Counter("fmerl_serve_retries", "Conversations asked again after a replica died.")

    def __serve_build_asgi_app__(self) -> Starlette:
        """The routes; Serve calls this once."""
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
        raise RefusedError(BUSY, f"{_TRIES} replicas died over this conversation")


async def _ready_replicas() -> int:
    status = await asyncio.to_thread(serve.status)
    application = status.applications.get(APPLICATION)
    states = {} if application is None else application.deployments[MODELS].replica_states
    return int(states.get("RUNNING", 0))
