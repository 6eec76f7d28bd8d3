"""The worlds of the scenarios: AWS around a handler, made afresh for every run.

moto also stands in for AWS behind the `requests` library, which nobody here uses. Getting ready for
that is a good part of the time that a world takes to be put up, so it is left out.
"""

from moto.core import models

models.RESPONSES_METHODS.clear()
