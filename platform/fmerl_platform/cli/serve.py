"""`fmerl serve`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, results, say
from fmerl_platform.cli.extract import absolute
from fmerl_platform.cli.options import FLAT, ONE_EACH
from fmerl_platform.serving.options import Limits, Replicas

if TYPE_CHECKING:
    from fmerl_platform.serving.request import ServingRequest


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Options of a service."""

    host: str = "127.0.0.1"
    """Address to listen on; by default this machine alone reaches it. There is no password."""
    port: int = 8000
    """Port to listen on."""
    classes: Annotated[tuple[str, ...], ONE_EACH, Parameter(show_default=False)] = ()
    """NAME=DESCRIPTION: a class to add or describe anew, as for fmerl predict. May be given again."""
    text_encoder: str | None = None
    """Where the bundle's text encoder lies here, if elsewhere than its recipe says."""
    emotion_encoder: str | None = None
    """Encoder of the emotion descriptions likewise, for --classes."""
    replicas: Annotated[Replicas, FLAT] = field(default_factory=Replicas)
    limits: Annotated[Limits, FLAT] = field(default_factory=Limits)
    storage: Path = Path("runs")
    """Folder of MLflow's database, for a run or a registered model."""
    dry_run: bool = False
    """Read the bundle, load its encoder, and say what would be served."""


def serve(bundle: str, /, *, options: Annotated[ServeOptions, FLAT] = ServeOptions()) -> int:
    """Serve a trained model on Ray Serve: JSON, CSV or turn by turn over HTTP, and a page to look at conversations.

    BUNDLE is a folder of fmerl export, a run's id, models:/NAME/VERSION or models:/NAME@ALIAS. Only text is taken;
    sound and pictures that the model reads are missing. Needs pip install 'fmerl[serve]'. Ends with Ctrl-C.
    """
    from fmerl_platform.cli.ready import check_ray
    from fmerl_platform.serving.request import ServingError
    from fmerl_platform.serving.run import check, describe, serving

    request = request_of(bundle, options)
    found = check(request)
    check_ray()
    if options.dry_run:
        for line in describe(request, found):
            say(line, to=results)
        return EXIT_OK
    try:
        with serving(request, found) as served:
            for address in served.metrics:
                say(f"metrics  {address}", to=results)
            say(f"ready    {served.address}", to=results)
            threading.Event().wait()
    except ServingError as error:
        say(f"nothing is served: {error}", "red")
    return EXIT_FAILED


def request_of(bundle: str, options: ServeOptions) -> ServingRequest:
    """The request that these options make."""
    from fmerl.bundle.recipes import Places
    from fmerl_platform.serving.request import ServingRequest

    return ServingRequest(
        bundle=absolute(bundle),
        classes=options.classes,
        places=Places(text_encoder=None if options.text_encoder is None else absolute(options.text_encoder)),
        anchor_encoder=None if options.emotion_encoder is None else absolute(options.emotion_encoder),
        storage=options.storage.resolve(),
        host=options.host,
        port=options.port,
        replicas=options.replicas,
        limits=options.limits,
    )
