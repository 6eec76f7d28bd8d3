"""The durable service, assembled: executions, and the parts that act on them."""

from __future__ import annotations

from dacapo.scheduling.scheduler import Scheduler
from dacapo.service.callbacks import Callbacks
from dacapo.service.callers import Callers
from dacapo.service.calls import Calls
from dacapo.service.chained_invokes import ChainedInvokes
from dacapo.service.checkpoints import Checkpoints
from dacapo.service.executions import Executions
from dacapo.service.functions import Functions
from dacapo.service.pauses import Pauses
from dacapo.service.sandboxes import Sandboxes


class DurableService(Executions):
    """Executions with their checkpoints, callbacks, pauses, chained invokes and plain calls.

    Parameters:
        scheduler: runs the tasks, on the virtual clock.
        functions: the functions of the run.
        seed: seed of every generated ID and token.
    """

    def __init__(self, scheduler: Scheduler, functions: Functions, seed: int) -> None:
        super().__init__(scheduler, functions, seed)
        self.callers = Callers(scheduler)
        self.sandboxes = Sandboxes(scheduler, self.callers)
        self.calls = Calls(self.sandboxes, seed)
        self.callbacks = Callbacks(self, self.callers)
        self.invokes = ChainedInvokes(self, self.calls)
        self.pauses = Pauses(self)
        self.checkpoints = Checkpoints(self, self.callbacks, self.invokes, self.pauses)
        self.on_ended = self.invokes.on_child_ended
