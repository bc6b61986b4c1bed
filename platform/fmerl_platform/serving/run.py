"""The service from start to end: checks, Ray and Ray Serve started, the address told, and all of it stopped again."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fmerl.errors import InputError
from fmerl.extras import optional_module
from fmerl_platform.serving.model import about, open_predictor
from fmerl_platform.serving.request import LOOPBACK, ServingError, ServingRequest
from fmerl_platform.serving.service import About

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A service that answers."""

    address: str
    metrics: tuple[str, ...]
    """Addresses of the nodes' metrics, in Prometheus' format."""


def check(request: ServingRequest) -> About:
    """Check all that can be checked before Ray is started: the extra, the bundle, its encoder, the port.

    Raises:
        InputError: One of them cannot be used.
    """
    optional_module("ray.serve", "serve")
    if not os.environ.get("RAY_ADDRESS"):
        _check_port(request)
    found = about(open_predictor(request))
    if request.host not in LOOPBACK:
        _log.warning("--host %s: whoever reaches this machine can use the models; there is no password", request.host)
    if found.missing:
        _log.warning("no request brings %s: the models predict without", " and ".join(found.missing))
    return found


def describe(request: ServingRequest, found: About) -> Iterator[str]:
    """Lines on what would be served."""
    sizes, limits = request.replicas, request.limits
    yield f"bundle   {found.system} trained on {found.corpus}, seeds {' '.join(map(str, found.seeds))}"
    yield f"classes  {', '.join(found.classes)}"
    yield f"replicas {sizes.replicas}, each of {sizes.cpus_per_replica:g} CPUs and {sizes.gpus_per_replica:g} GPUs"
    yield f"batches  up to {sizes.batch} conversations, which wait up to {sizes.batch_wait:g} s for each other"
    bounds = (f"{name.replace('_', ' ')} {value:,}" for name, value in vars(limits).items())
    yield f"limits   {', '.join(bounds)}"
    yield f"address  {request.address}"


@contextmanager
def serving(request: ServingRequest, found: About) -> Iterator[Served]:
    """The service, for the block.

    Args:
        request: What to serve.
        found: Of `check`.

    Raises:
        InputError: Ray does not start, has too little for the replicas, or runs Serve already.
        ServingError: Ray Serve does not start the application.
    """
    import ray

    from fmerl_platform.running.session import ray_session

    serve = optional_module("ray.serve", "serve")
    config, schema = optional_module("ray.serve.config", "serve"), optional_module("ray.serve.schema", "serve")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    own = not ray.is_initialized() and not os.environ.get("RAY_ADDRESS")
    with ray_session():
        from fmerl_platform.serving.deployment import application
        from fmerl_platform.serving.front import APPLICATION

        _check_cluster(request, serve, own)
        try:
            serve.start(
                proxy_location="HeadOnly",
                http_options=config.HTTPOptions(host=request.host, port=request.port),
                logging_config=schema.LoggingConfig(log_level="ERROR", enable_access_log=False),
            )
            try:
                serve.run(application(request, found), name=APPLICATION, route_prefix="/")
            except RuntimeError as error:
                raise ServingError(_reason(serve, APPLICATION) or " ".join(str(error).split())) from error
            yield Served(address=request.address, metrics=_metrics())
        finally:
            if own:  # Serve ends with this Ray, more quietly than by itself
                serve.delete(APPLICATION)
            else:
                serve.shutdown()


def _check_port(request: ServingRequest) -> None:
    where = f"--host {request.host} --port {request.port}"
    family = socket.AF_INET6 if ":" in request.host else socket.AF_INET
    try:
        socket.create_server((request.host, request.port), family=family).close()
    except OSError as error:
        raise InputError(where, f"nothing can listen there ({error.strerror})", "choose another") from None


def _check_cluster(request: ServingRequest, serve: Any, own: bool) -> None:
    """Refuse a cluster where Serve runs already, or one of this command's own that has too little."""
    import ray

    if serve.status().proxies:
        what = "Ray Serve runs on this cluster already"
        raise InputError("RAY_ADDRESS", what, "stop it with serve shutdown, or unset RAY_ADDRESS")
    sizes, there = request.replicas, ray.cluster_resources()
    for name, each in (("CPU", sizes.cpus_per_replica), ("GPU", sizes.gpus_per_replica)):
        if own and sizes.replicas * each > there.get(name, 0):
            what = f"{sizes.replicas} replicas of {each:g} {name}s, and there are {there.get(name, 0):g}"
            raise InputError("--replicas", what, "ask for less")


def _reason(serve: Any, name: str) -> str:
    """Last line of what Serve tells of a deployment that did not start: its replicas' error."""
    deployments = serve.status().applications[name].deployments.values()
    told = [line.strip() for each in deployments for line in each.message.splitlines() if line.strip()]
    return told[-1] if told else ""


def _metrics() -> tuple[str, ...]:
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    return tuple(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics" for node in nodes)
