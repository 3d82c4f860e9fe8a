"""The plans of the live page: those that come with the package, and the user's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rnn_controller.checkpoint import Checkpoint
from rnn_controller.planning.plans import Plan, digest_of, shipped_plan, shipped_plans


class ShownPlan(NamedTuple):
    """A plan of the page.

    Attributes:
        plan: The plan.
        source: Its shipped name, or the path of its file, as ``Plan.load`` takes it.
    """

    plan: Plan
    source: str


def shown_plans(
    controllers: Mapping[str, Checkpoint], given: Sequence[str]
) -> dict[str, ShownPlan]:
    """Return the plans by the names that the page shows, those that were ``given`` first.

    The others are the shipped ones of the controllers. ``given`` are shipped names and paths of
    files. Raises ValueError for one that is given twice, is no plan, or is not one for the
    controllers.
    """
    if len(set(given)) < len(given):
        raise ValueError(f"each plan is given once, not {' '.join(given)}")
    shipped = {
        name: ShownPlan(plan, name)
        for name in shipped_plans()
        for checkpoint in controllers.values()
        if (plan := shipped_plan(name, checkpoint.network))
    }
    own = {source: ShownPlan(_checked(source, controllers), source) for source in given}
    short = [Path(source).stem for source in own if source not in shipped]
    found: dict[str, ShownPlan] = {}
    for source, shown in own.items():
        stem = Path(source).stem
        alone = short.count(stem) < 2 and stem not in shipped
        found[stem if alone else source] = shown
    return {**found, **{name: shown for name, shown in shipped.items() if name not in found}}


def _checked(source: str, controllers: Mapping[str, Checkpoint]) -> Plan:
    """Return a plan whose commands all controllers of its task can be given."""
    plan = Plan.load(source)
    arms = [checkpoint.arm for checkpoint in controllers.values() if checkpoint.task == plan.task]
    if not arms:
        raise ValueError(
            f"{source} is a plan for {plan.task}, and the page shows no controller for it, only "
            f"{', '.join(controllers)}: name one for {plan.task}, too"
        )
    for arm in arms:
        try:
            plan.goal.check_commands(arm, plan.values)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from None
    return plan


def plan_data(name: str, shown: ShownPlan, controllers: Mapping[str, Checkpoint]) -> dict[str, Any]:
    """Return a plan as JSON values, with the names of the controllers that it was made for."""
    plan = shown.plan
    return {
        "name": name,
        "source": shown.source,
        "task": plan.task,
        "hold": plan.hold,
        "values": plan.values.tolist(),
        "curve": plan.curve.tolist(),
        "madeFor": [
            key for key, each in controllers.items() if digest_of(each.network) == plan.controller
        ],
    }
