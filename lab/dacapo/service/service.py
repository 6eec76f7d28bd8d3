"""The durable service, assembled: executions, and the parts that act on them."""

from __future__ import annotations

from dacapo.service.callbacks import Callbacks
from dacapo.service.callers import Callers
from dacapo.service.calls import Calls
from dacapo.service.chained_invokes import ChainedInvokes
from dacapo.service.checkpoints import Checkpoints
from dacapo.service.clock import Clock
from dacapo.service.executions import Executions
from dacapo.service.functions import Functions


class DurableService(Executions):
    """Executions with their checkpoints, callbacks, chained invokes and plain function calls.

    Parameters:
        clock: the virtual clock that drives the run.
        functions: the functions of the run.
        seed: seed of every generated ID and token.
    """

    def __init__(self, clock: Clock, functions: Functions, seed: int) -> None:
        super().__init__(clock, functions, seed)
        self.callers = Callers()
        self.calls = Calls(clock, self.callers, seed)
        self.callbacks = Callbacks(self, self.callers)
        self.invokes = ChainedInvokes(self, self.calls)
        self.checkpoints = Checkpoints(self, self.callbacks, self.invokes)
        self.on_ended = self.invokes.on_child_ended
