"""`python -m dacapo` is `dacapo`."""

from dacapo.cli import main

main(prog_name="dacapo")
