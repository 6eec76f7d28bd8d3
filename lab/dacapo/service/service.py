"""The durable service, put together: executions, and the parts that act on them."""

from __future__ import annotations

from dacapo.service.actors import Actors
from dacapo.service.callbacks import Callbacks
from dacapo.service.calls import Calls
from dacapo.service.chained import ChainedInvokes
from dacapo.service.checkpoints import Checkpoints
from dacapo.service.clock import Clock
from dacapo.service.executions import Executions
from dacapo.service.functions import Functions


class DurableService(Executions):
    """Executions, with what handlers checkpoint, what answers callbacks, and chained invokes.

    Parameters:
        clock: the virtual clock that everything happens on.
        functions: the functions of the run.
        seed: what ids and tokens are made from.
    """

    def __init__(self, clock: Clock, functions: Functions, seed: int) -> None:
        super().__init__(clock, functions, seed)
        self.actors = Actors()
        self.calls = Calls(clock, self.actors, seed)
        self.callbacks = Callbacks(self, self.actors)
        self.invokes = ChainedInvokes(self, self.calls)
        self.checkpoints = Checkpoints(self, self.callbacks, self.invokes)
        self.on_ended = self.invokes.child_ended
