"""The outside parties of a scenario: they answer callbacks, as it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from aws_durable_execution_sdk_python.lambda_service import ErrorObject, Operation

from dacapo.answers import Answers, Send, answer_for
from dacapo.recorded import callback_name
from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution
from dacapo.simulation import Simulation


class ScenarioError(Exception):
    """The scenario can't be run as it stands: says what is wrong and what to do."""


class Answering:
    """Answers the callbacks of a simulation from now on.

    Parameters:
        answers: by the callback's name.
    """

    def __init__(self, answers: Mapping[str, Answers], simulation: Simulation) -> None:
        self.answers = answers
        self.simulation = simulation
        self._created: dict[str, int] = {}
        simulation.service.callbacks.on_created = self._callback_created

    def _callback_created(self, execution: Execution, operation: Operation) -> None:
        name = callback_name(execution.operations, operation)
        number = self._created.get(name, 0)
        self._created[name] = number + 1
        answer = answer_for(self.answers.get(name), number, operation)
        for send in answer.sends:
            self.simulation.clock.schedule(
                send.after, partial(self._deliver, operation, send), f"answer to {name}"
            )

    def _deliver(self, operation: Operation, send: Send) -> None:
        callbacks = self.simulation.service.callbacks
        callback_id = operation.callback_details.callback_id if operation.callback_details else ""
        try:
            with self.simulation.service.actors.acting("the scenario"):
                match send.kind:
                    case "success":
                        callbacks.succeed(callback_id, send.result)
                    case "failure":
                        callbacks.fail(callback_id, ErrorObject.from_dict(dict(send.error or {})))
                    case "heartbeat":
                        callbacks.heartbeat(callback_id)
        except ServiceError:
            pass  # Late or doubled: an outside party that is refused. The delivery is on record.

    def check(self) -> None:
        """Make sure that every answer was asked for.

        Raises:
            ScenarioError: one was not.
        """
        for name, answers in self.answers.items():
            created = self._created.get(name, 0)
            wanted = len(answers) if isinstance(answers, Sequence) else 1
            if created < wanted:
                known = ", ".join(map(repr, self._created)) or "none"
                raise ScenarioError(
                    f"the scenario has {wanted} answer(s) to callback {name!r}, but {created} "
                    f"callback(s) of that name came: correct the name or leave the answer out "
                    f"(callbacks that came: {known})"
                )
