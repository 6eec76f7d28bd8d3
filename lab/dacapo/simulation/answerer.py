"""The outside parties of a scenario: they answer its callbacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from aws_durable_execution_sdk_python.lambda_service import ErrorObject, Operation

from dacapo.errors import ScenarioError
from dacapo.history.operations import answer_key, lineage
from dacapo.scenario.answers import Answers, Send, answer_for
from dacapo.service.callbacks import DeliveryKind
from dacapo.service.callers import Caller
from dacapo.service.errors import ServiceError
from dacapo.service.execution import Execution
from dacapo.simulation.simulation import Simulation


class Answerer:
    """Answers the callbacks of a simulation, from now on.

    Parameters:
        answers: answers by the name or the path of a callback.
        simulation: the simulation, whose callbacks report their creation to this.
    """

    def __init__(self, answers: Mapping[str, Answers], simulation: Simulation) -> None:
        self.answers = answers
        self.simulation = simulation
        self._created_counts: Counter[str] = Counter()
        self._created: list[tuple[Execution, Operation]] = []
        simulation.service.callbacks.on_created = self._remember
        simulation.scheduler.on_quiet = self._schedule_answers

    def _remember(self, execution: Execution, operation: Operation) -> None:
        self._created.append((execution, operation))

    def _schedule_answers(self) -> None:
        # Branches create their callbacks in the order of an interleaving. What is created at one
        # moment is answered in the order of the branches, so that a test can say who gets what.
        created, self._created = self._created, []
        if created[1:]:
            orders = {
                execution.arn: {key: n for n, key in enumerate(execution.operations)}
                for execution, _ in created
            }
            created.sort(key=lambda one: _position(one[0], one[1], orders[one[0].arn]))
        for execution, operation in created:
            self._schedule_answer(execution, operation)

    def _schedule_answer(self, execution: Execution, operation: Operation) -> None:
        key = answer_key(self.answers, execution.operations, operation)
        number = self._created_counts[key]
        self._created_counts[key] += 1
        answer = answer_for(self.answers.get(key), number, operation)
        for send in answer.sends:
            self.simulation.clock.schedule(
                send.after, partial(self._deliver, operation, send), f"answer to {key}"
            )

    def _deliver(self, operation: Operation, send: Send) -> None:
        callbacks = self.simulation.service.callbacks
        callback_id = operation.callback_details.callback_id if operation.callback_details else ""
        try:
            with self.simulation.service.callers.acting_as(Caller("the scenario")):
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
            created = self._created_counts[name]
            expected = len(answers) if isinstance(answers, Sequence) else 1
            if created < expected:
                keys = (repr(key) for key, number in self._created_counts.items() if number)
                known = ", ".join(keys) or "none"
                raise ScenarioError(
                    f"the scenario has {expected} answer(s) to callback {name!r}, but the run "
                    f"created {created} callback(s) of that name: correct the name, or omit the "
                    f"answer (callbacks of the run: {known})"
                )


def _position(
    execution: Execution, operation: Operation, order: Mapping[str, int]
) -> tuple[int, ...]:
    # Branches start in the order of their indexes.
    return tuple(order[part.operation_id] for part in lineage(execution.operations, operation))
