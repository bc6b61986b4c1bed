"""Labelling's throughput against the same requests from one plain asyncio loop, side by side in one run.

A server in a process of its own answers each request after a fixed time, and says when the first request came and
the last answer went: what lies before the first is the fixed start-up, the rest is throughput.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web
from openai import AsyncOpenAI

from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.asker import RetryPolicy
from fmerl_platform.asking.endpoint import Endpoint
from fmerl_platform.asking.limiter import Limits
from fmerl_platform.asking.pipeline import WorkerPool, run_calls
from fmerl_platform.asking.prices import Price
from fmerl_platform.asking.question import Call, Decoding, Questions
from fmerl_platform.asking.secret import Secret
from fmerl_platform.asking.worker import WorkerConfig
from fmerl_platform.running.session import ray_session

TIMEOUT = 60.0


def serve(latency: float, port: Connection) -> None:
    """An endpoint that always answers the same."""
    message = {"role": "assistant", "content": "Score: 3.5 out of 5"}
    usage = {"prompt_tokens": 60, "completion_tokens": 8, "total_tokens": 68}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply = json.dumps({"object": "chat.completion", "model": "fixed", "choices": [choice], "usage": usage})
    times: list[float] = []

    async def answer(request: web.Request) -> web.Response:
        arrived = time.time()
        await request.read()
        await asyncio.sleep(latency)
        times.extend((arrived, time.time()))
        return web.Response(text=reply, content_type="application/json")

    async def report(request: web.Request) -> web.Response:
        told = {"requests": len(times) // 2, "first": min(times), "last": max(times)}
        times.clear()
        return web.json_response(told)

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        app.router.add_get("/report", report)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


async def plain_loop(calls: Sequence[Call], url: str, concurrency: int) -> list[float | str]:
    """What one would write without this project: no journal, no limits, no retries."""
    slots = asyncio.Semaphore(concurrency)
    async with AsyncOpenAI(api_key="none", base_url=url, max_retries=0, timeout=TIMEOUT) as client:

        async def ask(call: Call) -> str:
            async with slots:
                reply = await client.chat.completions.create(**call.body)
            return str(reply.choices[0].message.content)

        return list(await asyncio.gather(*map(ask, calls)))


def labelled(calls: Sequence[Call], url: str, concurrency: int, workers: int) -> int:
    """The same through Ray Data, with journal and limiter."""
    with tempfile.TemporaryDirectory() as journal:
        config = WorkerConfig(
            endpoint=Endpoint(base_url=url, key=Secret("none"), timeout=TIMEOUT),
            journal=Path(journal),
            price=Price(),
            retries=RetryPolicy(),
            concurrency=concurrency,
        )
        pool = WorkerPool(workers=workers, concurrency=concurrency)
        return sum(outcome.value == 3.5 for outcome in run_calls(calls, config, Limits(), 0.0, pool))


def measure(name: str, run: Callable[[], object], report: str, calls: int) -> float:
    """Requests per second between the first request and the last answer; prints them and the start-up."""
    start = time.time()
    run()
    end = time.time()
    told = json.load(urllib.request.urlopen(report))
    if told["requests"] != calls:
        raise RuntimeError(f"{name}: {told['requests']} requests for {calls} calls")
    seconds = told["last"] - told["first"]
    rate = calls / seconds
    print(
        f"{name:<12} {rate:8.1f} requests/s over {seconds:6.1f} s; start-up {told['first'] - start:5.1f} s, "
        f"wind-down {end - told['last']:4.1f} s",
        flush=True,
    )
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_240, help="requests of each side (default: %(default)s)")
    parser.add_argument("--concurrency", type=int, default=32, help="requests in flight (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="Ray actors (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0.25, help="seconds per answer (default: %(default)s)")
    arguments = parser.parse_args()

    receiver, sender = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(arguments.latency, sender), daemon=True)
    server.start()
    origin = f"http://127.0.0.1:{receiver.recv()}"
    questions = Questions(model="fixed", prompts=PromptConfig(), decoding=Decoding(mode="text"))
    calls = [questions.score(f"This is utterance {row}.", "valence") for row in range(arguments.calls)]
    url, report = f"{origin}/v1", f"{origin}/report"
    print(f"{os.cpu_count()} cores; {arguments.calls} requests, {arguments.concurrency} in flight", flush=True)
    print(f"at most {arguments.concurrency / arguments.latency:.1f} requests/s, at {arguments.latency:g} s each")

    plain = measure(
        "plain loop", lambda: asyncio.run(plain_loop(calls, url, arguments.concurrency)), report, arguments.calls
    )
    with ray_session():
        ours = measure(
            "labelling", lambda: labelled(calls, url, arguments.concurrency, arguments.workers), report, arguments.calls
        )
    print(f"throughput of labelling / plain loop: {ours / plain:.3f}")
    server.terminate()


if __name__ == "__main__":
    main()
