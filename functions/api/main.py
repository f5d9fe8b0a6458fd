"""Serve the read API and its page, by ASGI, to every caller that the platform admits."""

import uvicorn

from millrace import config, log, wiring
from millrace.status import remedies

log.start(config.project(), "asyncio", "uvicorn")
app = wiring.api_of(config.ApiConfig.from_env(), remedies.DEPLOYMENT)

if __name__ == "__main__":
    # The platform logs each request. No body is read: the routes take none, and other methods than GET are refused.
    everywhere = "0.0.0.0"  # noqa: S104 a container: the platform alone reaches it
    uvicorn.run(app, host=everywhere, port=config.port(), log_config=None, access_log=False, server_header=False)
