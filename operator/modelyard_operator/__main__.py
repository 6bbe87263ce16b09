"""`python -m modelyard_operator`."""

from __future__ import annotations

import gc
import logging
import os
import sys

import kopf
import uvloop
from kopf._core.engines.peering import Identity

from modelyard_operator.app import assemble
from modelyard_operator.config import Config, read_config
from modelyard_operator.handlers.watching import registry, watch_settings
from modelyard_operator.kube.access import Access, AccessError, find_access
from modelyard_operator.kube.client import KubeClient
from modelyard_operator.logs import set_up_logs

_CONNECTIONS_BESIDE_THE_WORKERS = 16
"""However many workers wait for an answer, the Lease is renewed in time; Events, sweeps and tokens want one, too."""
_OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""Ours alone, over what was deleted. An event of a watch is a thousand objects that refer to nothing above them and go
by themselves: at Python's 700 the collector took a sixth of the CPU seconds."""


def main() -> int:
    """Run until SIGTERM or SIGINT. Returns the process's exit code."""
    config = read_config(sys.argv[1:], os.environ)
    set_up_logs(config.log_level)
    try:
        access = find_access()
    except AccessError as error:
        logging.getLogger(__name__).critical(str(error))
        return 2
    uvloop.run(_run(config, access))
    return 0


async def _run(config: Config, access: Access) -> None:
    connections = config.workers + _CONNECTIONS_BESIDE_THE_WORKERS
    async with KubeClient(access, rate=config.api_rate, burst=config.api_burst, connections=connections) as client:
        operator = assemble(config, client)
        gc.freeze()  # what was imported stays
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        await kopf.operator(
            registry=registry(operator, operator.observer, access),
            settings=watch_settings(),
            clusterwide=not config.namespaces,
            namespaces=config.namespaces,
            standalone=True,
            # Without it kopf asks who the user is, and user 65532 has no name in the image.
            identity=Identity(config.identity),
        )


if __name__ == "__main__":
    sys.exit(main())
