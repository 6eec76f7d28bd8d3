"""Cold: every invocation in a fresh process, against all of them in one that stays warm.

Lambda may resume an execution in the process that ran it last, or in another one. What a handler
leaves in its process (a variable, a file in /tmp, an open connection) is there or not, and a set
comes in another order, as each process has a hash seed of its own. The runs that stay warm are the
control: one in each hash seed that the cold ones use, and one of them twice.

The invocation ends after every checkpoint, because a set that is iterated in one invocation shows
only then. And each step loses its process once, before its success is stored: a counter in memory
goes on in a warm process, and begins again in another.
"""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from aws_durable_execution_sdk_python.lambda_service import (
    OperationAction,
    OperationType,
    OperationUpdate,
)

from dacapo.errors import NetworkRefused, ScenarioError
from dacapo.process import children, memory, scratch
from dacapo.process.user_modules import is_users_object
from dacapo.scenario import Scenario
from dacapo.sdk.installed import is_durable
from dacapo.service.client import Crash, Interference
from dacapo.service.execution import Execution
from dacapo.service.invocations import Conditions
from dacapo.simulation import boto, runner
from dacapo.simulation.elsewhere import fakes, interpreters, locate
from dacapo.simulation.elsewhere.interpreters import Interpreters
from dacapo.simulation.elsewhere.proxy import CannotRunElsewhere, Elsewhere
from dacapo.simulation.elsewhere.wire import Prepare
from dacapo.verify.compare.baseline import Baseline, describe_end
from dacapo.verify.compare.runs import compare, divergences
from dacapo.verify.endings import invariant_observations
from dacapo.verify.experiments.crashes import repeated
from dacapo.verify.experiments.interruptions import SuspendEverywhere, suspending
from dacapo.verify.experiments.reference import Budget, Experiment, NotRun, Plan, Reference
from dacapo.verify.findings import Code, ExperimentName, Observation, Skipped
from dacapo.verify.observe.run import AT_ONCE, Observed, Observers, Seen
from dacapo.verify.workers.pool import Beat, Stopped

NAME = ExperimentName.COLD
SUSPENSIONS = Budget(40, least=2, reads=10_000)
CRASHES = Budget(12, least=2, reads=10_000)
"""Each time is a process of its own, to which all operations travel."""
_How = tuple[Callable[[], Interference], Sequence[str], bool]
"""What interferes, in which hash seeds, and whether each invocation has its own process."""
_LEAKING = Skipped("two runs in one process differ already, which is not blamed on the handler")
_CAUSES = (
    *(Code.DIFFERENT_OPERATION, Code.DIFFERENT_RESULT),
    *(Code.DIFFERENT_EFFECTS, Code.EFFECT_REPEATED),
)


class CrashSteps(Interference):
    """Takes the process away before the success of a step is stored, once for each of them.

    Parameters:
        most: for how many of them.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._done: set[str] = set()

    def before_store(self, execution: Execution, updates: Sequence[OperationUpdate]) -> None:
        """Crash, if a step has succeeded for the first time."""
        _ = execution
        for update in updates:
            if _is_success(update) and update.operation_id not in self._done:
                if len(self._done) >= self.most:
                    return
                self._done.add(update.operation_id)
                raise Crash("the process was taken away")


def _is_success(update: OperationUpdate) -> bool:
    is_step = update.operation_type is OperationType.STEP
    return is_step and update.action is OperationAction.SUCCEED


def start(scenario: Scenario) -> None:
    """Start the interpreters for a scenario, without waiting for them."""
    if hasattr(os, "fork") and not scenario.has_one_world:
        interpreters.start(interpreters.hash_seeds_for(scenario.handler))


def _plan(reference: Reference) -> Plan:
    if not hasattr(os, "fork"):
        raise NotRun("processes cannot be forked on this system", applies=True)
    if reference.run.cut_off:
        raise NotRun("the reference run has invocations that timed out or exited")
    if reference.scenario.has_one_world and reference.left:
        file = reference.left[0]
        raise NotRun(f"nobody knows whether other processes have {file}", applies=True)
    interference, sampled = suspending(reference, SUSPENSIONS)
    suspend = partial(SuspendEverywhere, interference.every)
    crashes, steps = reference.affordable(CRASHES), len(reference.run.steps)
    if crashes < steps:
        sampled = "; ".join([*filter(None, [sampled]), f"{crashes} of {steps:,} steps crashed"])
    crash = partial(CrashSteps, crashes)
    seeds: Sequence[str] = ("",)
    if _is_found(reference):
        seeds = interpreters.hash_seeds_for(reference.scenario.handler)
    preparation = None
    if seeds[0]:
        interpreters.start(seeds)
        preparation = _preparation(reference)
    warm: list[_How] = [(suspend, (seed,), False) for seed in (seeds[0], *seeds)]
    cold: list[_How] = [(suspend, _rotated(seeds, n), True) for n in (1, 2)]
    crashed: list[_How] = [(crash, seeds, True), (crash, seeds[:1], False)]
    plain: _How = (Interference, seeds[:1], False)
    ways = (*warm, plain, *cold, *crashed)
    works = [partial(_run, reference, preparation, how) for how in ways]
    # No handler runs in the process of the world, unless that process has forks for it.
    sharing = len(warm) if seeds[0] else 1
    return Plan(works, partial(_judge, reference, len(warm)), sampled=sampled, sharing=sharing)


def _rotated(seeds: Sequence[str], by: int) -> Sequence[str]:
    by %= len(seeds)
    return (*seeds[by:], *seeds[:by])


def _is_found(reference: Reference) -> bool:
    return all(
        locate.find(handler, reference.scenario, name, reference.target)
        for name, handler in reference.scenario.handlers.items()
        if is_durable(handler)
    )


def _preparation(reference: Reference) -> Prepare:
    modules = memory.reached_from(reference.scenario.handlers.values())
    services = boto.services_of(modules).union(reference.services)
    return Prepare(memory.libraries(modules), sorted(services), children.import_path())


def _run(
    reference: Reference, preparation: Prepare | None, how: _How, beat: Beat
) -> Observed | str:
    """Run a scenario whose invocations are made elsewhere; return why that is not possible."""
    make_interference, hash_seeds, is_cold = how
    folder = Path(tempfile.gettempdir())
    seen = Seen()
    with ExitStack() as stack:
        own = ""
        if preparation is not None:
            interpreters.prepare(preparation, hash_seeds, beat)
        else:
            own = stack.enter_context(interpreters.forks_of_this(reference.scenario, folder))
        elsewhere = Elsewhere(
            reference.scenario,
            reference.target,
            Interpreters(hash_seeds, own),
            is_cold,
            reference.seed,
            Observers,
            seen,
            folder / "sandbox",
            beat,
        )
        stack.callback(elsewhere.close)
        here = stack.enter_context(_observing(beat))
        conditions = Conditions(make_interference(), here.probe, AT_ONCE)
        try:
            recording = runner.run_under(conditions, elsewhere.stand_in(), seed=reference.seed)
        except (CannotRunElsewhere, NetworkRefused, ScenarioError) as error:
            return elsewhere.lacks or str(error)
    if elsewhere.lacks:
        return elsewhere.lacks
    seen.add(here.seen())
    return Observed(replace(recording, world=None, others=[]), seen, folder=str(folder))


@contextmanager
def _observing(beat: Beat) -> Iterator[Observers]:
    """Context manager that observes what happens in the process of the world."""
    here = Observers(beat)
    with scratch.watched(), here.observing():
        yield here


def _judge(
    reference: Reference, warm: int, outcomes: Sequence[Any]
) -> Iterator[Observation | Skipped]:
    if any(isinstance(outcome, Stopped) for outcome in outcomes):
        raise NotRun("a process had to be stopped", applies=True)
    reason = next((outcome for outcome in outcomes if isinstance(outcome, str)), None)
    if reason is not None:
        raise NotRun(reason, applies=True)
    controls, plain = outcomes[:warm], outcomes[warm]
    colds, crashed = outcomes[warm + 1 : -2], outcomes[-2:]
    _check_plain(reference, plain)
    baseline = Baseline(controls)
    for run in (*controls, *crashed):
        yield from invariant_observations(run.recording, NAME)
    for run in controls:
        yield from divergences(run, NAME)
    if reference.leaks:
        yield _LEAKING
        return
    # What a handler does in a process that stays warm is not the process's doing.
    is_sound = not any(run.seen.divergences for run in controls)
    for run in colds:
        compared = list(compare(baseline, run, NAME))
        if compared:
            _check_fakes(reference)
        yield from _named(compared, reference) if is_sound else compared
    in_others, in_one = crashed
    again = list(repeated(baseline.first, in_one, experiment=NAME))
    yield from again
    if not again:
        # Only in another process, the step makes another request.
        yield from _named(repeated(baseline.first, in_others, experiment=NAME), reference)


def _check_plain(reference: Reference, plain: Observed) -> None:
    """Check that a warm process is like this one.

    Raises:
        NotRun: the execution ends in another way, so what else differs shows nothing.
    """
    here, there = reference.run.recording, plain.recording
    if here.status != there.status:
        ends = f"{describe_end(there)}; here, with {describe_end(here)}"
        raise NotRun(f"in a process of its own, it ends with {ends}", applies=True)
    if there.broken_invariant and not here.broken_invariant:
        fakes = f"; changed: {', '.join(reference.changed)}" if reference.changed else ""
        raise NotRun(
            "in a process of its own, the invariant does not hold. If the handler changes a fake "
            f"in memory, let the world yield it{fakes}",
            applies=True,
        )


def _check_fakes(reference: Reference) -> None:
    """Check that no difference comes from an object that the world changes in its own process.

    Raises:
        NotRun: there is such an object.
    """
    world: Any = inspect.unwrap(reference.scenario.world)
    code, variables = getattr(world, "__code__", None), getattr(world, "__globals__", {})
    own = fakes.owners_of(reference.scenario.handler)
    for name in code.co_names if code else ():
        changed = next((one for one in reference.changed if one.startswith(f"{name} (")), None)
        value = variables.get(name)
        is_own = any(value is one for one in own)
        if changed and is_users_object(value) and not is_own:
            message = f"the world changes {changed} in place: let it yield what it fakes"
            raise NotRun(message, applies=True)


def _named(
    observations: Iterable[Observation | Skipped], reference: Reference
) -> Iterator[Observation | Skipped]:
    """Yield observations as what the state of a process causes."""
    hint = ""
    if reference.changed:
        names = ", ".join(reference.changed)
        hint = f" (a run changes {names}; if that is a fake, the world has to yield it)"
    for seen in observations:
        if isinstance(seen, Observation) and seen.code in _CAUSES:
            yield replace(seen, code=Code.PROCESS_STATE, message=f"{seen.message}{hint}")
        else:
            yield seen


COLD = Experiment(NAME, _plan)
