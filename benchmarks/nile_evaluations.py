"""What an effective draw costs on the Nile's posterior: the map's samplers beside NUTS.

Prints, for each method, gradient equivalents per effective draw of the worst hyperparameter, and
the ratio to PyMC's NUTS started from the same map. The cost of the map is charged to the methods
that need it for more than starting points.
"""

import json

import numpy as np
from arviz_stats.base import array_stats

import bayescape as bs
from bayescape.evaluations import Evaluations
from bayescape.study.demo import nile, nile_settings

DRAWS = 1000


def main() -> None:
    """Run every method on the same map, and print a line for each."""
    table = nile()
    target = bs.GaussianProcess(
        table.X, table.y, kernel="matern", nu=2.5, priors=nile_settings().priors
    )
    landscape = bs.explore(target, seed=0, progress=False)
    d = len(target.names)
    mapping = landscape.evaluations.gradient_equivalents(d)
    print(f"map: {mapping:,.0f} gradient equivalents, {landscape.seconds:.1f} s")
    reference = None
    for method in ("hmc", "superposition", "jumps"):
        posterior = bs.sample(landscape, draws=DRAWS, method=method, seed=0, progress=False)
        spent = Evaluations(**json.loads(posterior.attrs["evaluations"])).gradient_equivalents(d)
        spent += 0 if method == "hmc" else mapping
        cost = spent / smallest_ess(posterior["unconstrained_posterior"]["theta"].values)
        reference = cost if reference is None else reference
        print(
            f"{method:14s} {cost:8.1f} gradient equivalents per effective draw, "
            f"{reference / cost:6.1f} times cheaper than hmc, "
            f"reliable {bool(posterior.attrs['reliable'])}, {posterior.attrs['seconds']:.1f} s"
        )


def smallest_ess(theta: np.ndarray) -> float:
    """Effective sample size of the worst coordinate of ``(chain, draw, d)``."""
    return min(
        float(array_stats.ess(theta[..., j], chain_axis=0, draw_axis=1))
        for j in range(theta.shape[-1])
    )


if __name__ == "__main__":
    main()
