"""One copy of the models, in a process of its own."""

from __future__ import annotations

import asyncio

from fmerl.extras import optional_module
from fmerl_platform.serving.model import open_predictor, predict_together
from fmerl_platform.serving.request import ServingRequest
from fmerl_platform.serving.service import Conversation, Rows

serve = optional_module("ray.serve", "serve")


class Models:
    """Predicts conversations of several requests together.

    Args:
        request: Names the bundle, which every replica reads by itself, and the size of a batch.
    """

    def __init__(self, request: ServingRequest) -> None:
        self._predictor = open_predictor(request)
        self.rows.set_max_batch_size(request.replicas.batch)
        self.rows.set_batch_wait_timeout_s(request.replicas.batch_wait)

    @serve.batch
    async def rows(self, conversations: list[Conversation]) -> list[Rows]:
        """Rows of each conversation; Serve gathers them from requests that wait."""
        return await asyncio.to_thread(predict_together, self._predictor, conversations)
