"""The command line: `dacapo`, one module for each command.

Exit status: 0 if all is well, 1 if something is wrong with the handler, 2 for a mistake in the
call.
"""

from __future__ import annotations

import click

from dacapo.cli.check import check
from dacapo.cli.explain import explain
from dacapo.cli.run import run
from dacapo.cli.verify import verify


@click.group(name="dacapo", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dacapo-durable")
def main() -> None:
    """Run Lambda durable functions in virtual time, and prove that they survive replay."""


for command in (run, verify, check, explain):
    main.add_command(command)
