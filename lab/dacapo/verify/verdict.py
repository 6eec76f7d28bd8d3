"""The verdict: what was seen, with what the user accepts and waives taken into account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dacapo.history import endings
from dacapo.scenario import Scenario
from dacapo.verify import suppressions
from dacapo.verify.configuration import Configuration
from dacapo.verify.findings import (
    Ending,
    ExperimentResult,
    ExperimentState,
    Observation,
    Report,
)
from dacapo.verify.triage import judge, one_per_cause


def report_of(
    scenario: Scenario,
    ending: Ending,
    results: Mapping[str, ExperimentResult],
    observations: Sequence[Observation],
    configuration: Configuration,
    control: Sequence[str] = (),
) -> Report:
    """Return the report of what was seen.

    Parameters:
        ending: how the reference run ended.
        results: what was done, by the name of the experiment, in their order.
        observations: everything that was seen.
        configuration: the project's settings.
        control: what already two equal runs differ in.
    """
    experiments = waived(results, {**configuration.waivers, **scenario.waives})
    accepted = suppressions.apart(judge(observations), scenario.handler, configuration)
    is_complete = all(r.state is not ExperimentState.LEFT_OUT for r in experiments.values())
    return Report(
        scenario.name or scenario.function,
        experiments,
        one_per_cause(accepted.left),
        ending,
        endings.name_of(scenario.expects),
        list(control),
        accepted.suppressed,
        # What an experiment that was left out would have shown may need them.
        accepted.unused if is_complete and ending.is_expected else [],
        accepted.mistakes,
    )


def waived(
    results: Mapping[str, ExperimentResult], waivers: Mapping[str, str]
) -> dict[str, ExperimentResult]:
    """Return the results, with those waived that were left out for a reason the user gives."""
    return {
        name: replace(result, state=ExperimentState.WAIVED, reason=waivers[name])
        if result.state is ExperimentState.LEFT_OUT and name in waivers
        else result
        for name, result in results.items()
    }
