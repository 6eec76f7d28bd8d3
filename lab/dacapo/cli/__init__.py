"""The command line: `dacapo`, one module for each command.

`exit_status` says what each exit status means.
"""

from __future__ import annotations

from typing import Any

import click

from dacapo.cli.check import check
from dacapo.cli.explain import explain
from dacapo.cli.history import history
from dacapo.cli.run import run
from dacapo.cli.show import show
from dacapo.cli.signals import ended_by_signals
from dacapo.cli.verify import verify


class _Program(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a signal ends it in order."""
        ended_by_signals(lambda: super(_Program, self).invoke(ctx))


@click.group(name="dacapo", cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dacapo-durable")
def main() -> None:
    """Run Lambda durable functions in virtual time, and prove that they survive replay."""


for command in (run, show, verify, history, check, explain):
    main.add_command(command)
