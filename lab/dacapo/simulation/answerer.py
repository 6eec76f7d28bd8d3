"""The outside parties of a scenario: they answer its callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from aws_durable_execution_sdk_python.lambda_service import ErrorObject, Operation

from dacapo.errors import ScenarioError
from dacapo.history.operations import callback_name
from dacapo.scenario import Answers, Send, answer_for
from dacapo.service.callbacks import DeliveryKind
from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution
from dacapo.simulation.simulation import Simulation


class Answerer:
    """Answers the callbacks of a simulation, from now on.

    Parameters:
        answers: answers by callback name.
        simulation: the simulation, whose callbacks report their creation to this.
    """

    def __init__(self, answers: Mapping[str, Answers], simulation: Simulation) -> None:
        self.answers = answers
        self.simulation = simulation
        self._created_counts: dict[str, int] = {}
        simulation.service.callbacks.on_created = self._schedule_answer

    def _schedule_answer(self, execution: Execution, operation: Operation) -> None:
        name = callback_name(execution.operations, operation)
        number = self._created_counts.get(name, 0)
        self._created_counts[name] = number + 1
        answer = answer_for(self.answers.get(name), number, operation)
        for send in answer.sends:
            self.simulation.clock.schedule(
                send.after, partial(self._deliver, operation, send), f"answer to {name}"
            )

    def _deliver(self, operation: Operation, send: Send) -> None:
        callbacks = self.simulation.service.callbacks
        callback_id = operation.callback_details.callback_id if operation.callback_details else ""
        try:
            with self.simulation.service.callers.acting_as("the scenario"):
                match send.kind:
                    case DeliveryKind.SUCCESS:
                        callbacks.succeed(callback_id, send.result)
                    case DeliveryKind.FAILURE:
                        callbacks.fail(callback_id, ErrorObject.from_dict(dict(send.error or {})))
                    case DeliveryKind.HEARTBEAT:
                        callbacks.heartbeat(callback_id)
        except ServiceError:
            pass  # The service refuses a late or repeated answer; the delivery is recorded.

    def check(self) -> None:
        """Check that the run created a callback for every answer.

        Raises:
            ScenarioError: there is an answer without a callback.
        """
        for name, answers in self.answers.items():
            created = self._created_counts.get(name, 0)
            expected = len(answers) if isinstance(answers, Sequence) else 1
            if created < expected:
                known = ", ".join(map(repr, self._created_counts)) or "none"
                raise ScenarioError(
                    f"the scenario has {expected} answer(s) to callback {name!r}, but the run "
                    f"created {created} callback(s) of that name: correct the name, or omit the "
                    f"answer (callbacks of the run: {known})"
                )
