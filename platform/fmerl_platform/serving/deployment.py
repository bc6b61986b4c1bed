"""The application that Ray Serve runs: a front, and the models' replicas behind it."""

from __future__ import annotations

from typing import Any

from fmerl.extras import optional_module
from fmerl_platform.serving.front import MODELS, Front
from fmerl_platform.serving.replica import Models
from fmerl_platform.serving.request import LOOPBACK, ServingRequest
from fmerl_platform.serving.service import About

serve = optional_module("ray.serve", "serve")
schema = optional_module("ray.serve.schema", "serve")


def application(request: ServingRequest, about: About) -> Any:
    """The application, for `serve.run`.

    Args:
        request: What to serve.
        about: What is told of its bundle.
    """
    sizes, limits = request.replicas, request.limits
    quiet = schema.LoggingConfig(log_level="ERROR", enable_access_log=False)
    models = serve.deployment(
        name=MODELS,
        num_replicas=sizes.replicas,
        max_ongoing_requests=2 * sizes.batch,  # a batch waits while another is predicted
        logging_config=quiet,
        ray_actor_options={"num_cpus": sizes.cpus_per_replica, "num_gpus": sizes.gpus_per_replica},
    )
    front = serve.deployment(
        name="front",
        max_ongoing_requests=limits.open,
        max_queued_requests=limits.open,
        logging_config=quiet,
        ray_actor_options={"num_cpus": 0},
    )
    hosts = (*LOOPBACK, "[::1]") if request.host in LOOPBACK else ("*",)
    return front(serve.ingress()(Front)).bind(models(Models).bind(request), about, limits, hosts)
