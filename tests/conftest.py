"""Nothing but what every test needs: the lab first, so that clients can reach a run."""

import dacapo  # noqa: F401 - installs itself before the patterns make their clients
