"""The command line.

Exit status: 0 if all is well, 1 if it is not well with the handler, 2 for a mistake in the call.
"""

from __future__ import annotations

import click

from dacapo.commands.lesson import lesson
from dacapo.commands.replay import replay
from dacapo.commands.run import run
from dacapo.commands.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dacapo-durable")
def main() -> None:
    """Run Lambda durable functions in virtual time, and see whether they survive replay."""


main.add_command(run)
main.add_command(verify)
main.add_command(replay)
main.add_command(lesson)
