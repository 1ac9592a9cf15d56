"""Superposition jumps: an independence Metropolis step that crosses any barrier the map knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pymc.blocking import RaveledVars
from pymc.pytensorf import make_shared_replacements
from pymc.step_methods.arraystep import ArrayStepShared
from pymc.step_methods.compound import Competence, StepMethodState
from pymc.step_methods.state import dataclass_state

from bayescape.arguments import check_flag, check_kind, check_whole, shown
from bayescape.sample.superposition import Superposition

__all__ = ["SuperpositionJump"]

Array = NDArray[np.float64]


@dataclass_state
class SuperpositionJumpState(StepMethodState):
    """Only the random state: the step does not adapt."""


class SuperpositionJump(ArrayStepShared):
    """A PyMC step that proposes a draw from a superposition, whatever the present point.

    A proposal is accepted with probability ``min(1, w(new) / w(old))``, where ``w`` is target
    over superposition: Metropolis's rule for an independent proposal, exact for the target. The
    superposition is fixed, so the chain is Markov from its first draw. Use it beside NUTS, as in
    ``pm.sample(step=[pm.NUTS(...), SuperpositionJump(...)])``.

    Parameters
    ----------
    vars
        The model's continuous variables, in the order of the superposition's coordinates; by
        default all of the model's continuous value variables.
    superposition
        The proposal, over the value variables raveled in that order.
    attempts
        Proposals a step, at least 1. Each costs one evaluation of the model's log density.
    model, rng, blocked, initial_point, compile_kwargs
        As in PyMC's own step methods.

    References
    ----------
    I. Andricioaei, J. E. Straub, A. F. Voter, "Smart darting Monte Carlo", J. Chem. Phys. 114, 6994
    (2001); L. Tierney, "Markov chains for exploring posterior distributions", Ann. Statist. 22,
    1701 (1994), section 2.3.2.
    """

    name = "superposition_jump"
    default_blocked = True
    stats_dtypes_shapes: ClassVar[dict[str, Any]] = {
        "jump_accepted": (np.float64, []),
        "jump_log_ratio": (np.float64, []),
    }
    _state_class = SuperpositionJumpState

    def __init__(
        self,
        vars: Any = None,
        *,
        superposition: Superposition,
        attempts: int = 1,
        model: pm.Model | None = None,
        rng: Any = None,
        blocked: bool = True,
        initial_point: dict[str, Any] | None = None,
        compile_kwargs: dict[str, Any] | None = None,
    ) -> None:
        check_kind("superposition", superposition, Superposition, "a Superposition")
        check_whole("attempts", attempts, 1)
        check_flag("blocked", blocked)
        for name, given in (("initial_point", initial_point), ("compile_kwargs", compile_kwargs)):
            if given is not None:
                check_kind(name, given, Mapping, "a dict")
        model = pm.modelcontext(model)
        if initial_point is None:
            initial_point = model.initial_point()
        chosen = model.continuous_value_vars if vars is None else vars
        try:
            value_vars = pm.util.get_value_vars_from_user_vars(chosen, model)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise ValueError(
                f"`vars` must be free variables of the model, got {shown(vars)}"
            ) from error
        try:
            np.random.default_rng(rng)
        except (TypeError, ValueError) as error:
            raise ValueError(f"`rng` must be a seed or a Generator, got {shown(rng)}") from error
        size = sum(np.size(initial_point[v.name]) for v in value_vars)
        if size != superposition.means.shape[1]:
            raise ValueError(
                f"`superposition` has {superposition.means.shape[1]} coordinates, but the step's "
                f"variables have {size}"
            )
        self.superposition = superposition
        self.attempts = attempts
        shared = make_shared_replacements(initial_point, value_vars, model)
        joined, raveled = pm.pytensorf.join_nonshared_inputs(
            initial_point, [model.logp()], value_vars, shared
        )
        self._log_density = pm.compile([raveled], joined[0], **(compile_kwargs or {}))
        super().__init__(value_vars, shared, blocked=blocked, rng=rng)

    def astep(self, q0: RaveledVars) -> tuple[RaveledVars, list[dict[str, Any]]]:
        """Propose ``attempts`` times from the point ``q0``."""
        # What is proposed does not depend on where the chain is, so all is evaluated at once.
        proposals = self.superposition.sample(self.attempts, self.rng)
        points = np.vstack([np.asarray(q0.data, dtype=float), proposals])
        log_w = self._log_densities(points) - self.superposition.log_prob(points)
        at, accepted, log_ratio = 0, 0, -np.inf
        for i in range(1, len(points)):
            log_ratio = log_w[i] - log_w[at]
            if np.log(self.rng.uniform()) < log_ratio:
                at = i
                accepted += 1
        stats = {"jump_accepted": accepted / self.attempts, "jump_log_ratio": log_ratio}
        return RaveledVars(points[at], q0.point_map_info), [stats]

    def _log_densities(self, points: Array) -> Array:
        """The model's log density at points ``(N, d)``."""
        return np.array([float(self._log_density(point)) for point in points])

    @staticmethod
    def competence(var: Any, has_grad: Any = None) -> Competence:
        """Never assigned by PyMC on its own: it needs a superposition."""
        return Competence.INCOMPATIBLE
