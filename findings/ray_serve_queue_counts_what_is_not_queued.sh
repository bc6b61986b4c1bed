#!/usr/bin/env bash
# Ray Serve 2.60.0: `max_queued_requests` turns requests away though its replica is idle and may hold a thousand.
#
# Guess: the queue holds what no replica can take; with max_ongoing_requests=1000 a replica takes 50 requests at once, none
#        waits, and max_queued_requests=1 never matters.
# Seen:  requests count as queued until they have been assigned; of 50 that come together many are answered with 503.
# For a user: a small queue, chosen to answer "busy" early, drops bursts that the replicas could take. Here the queue is as
# long as the number of conversations that may be open (`fmerl_platform.serving`).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[serve]==2.60.0" httpx==0.28.1

cat > "$folder/probe.py" <<'PYTHON'
import asyncio
from collections import Counter

import httpx
import ray
from ray import serve


@serve.deployment(max_ongoing_requests=1000, max_queued_requests=1)
class Echo:
    async def __call__(self, request):
        await asyncio.sleep(0.2)
        return "here"


async def burst() -> Counter:
    async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=None)) as client:
        assert (await client.get("http://127.0.0.1:8763/")).status_code == 200
        found = await asyncio.gather(*(client.get("http://127.0.0.1:8763/") for _ in range(50)))
    return Counter(reply.status_code for reply in found)


ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
serve.start(http_options={"host": "127.0.0.1", "port": 8763})
serve.run(Echo.bind())
codes = asyncio.run(burst())
print(dict(codes))
serve.shutdown()
ray.shutdown()
assert codes[503] > 0 and codes[200] > 0, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" 2> "$folder/log" || { tail -20 "$folder/log"; exit 1; }
