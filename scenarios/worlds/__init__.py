"""The worlds of the scenarios: the simulated AWS around a handler, rebuilt for every run.

moto also patches the `requests` library, which we don't use. Setting that up takes a good part of
the time to build a world, so we skip it.
"""

from moto.core import models

models.RESPONSES_METHODS.clear()
