"""`make compare`: the cost and delay of each approach to waiting for a migration."""

import dacapo  # noqa: F401 - before boto3 clients are created
