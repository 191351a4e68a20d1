"""Third moments: what selection does where the index tells less of the genes, the better it is."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxbreed.covariance import scaled, toward
from jaxbreed.deviations import deviations
from jaxbreed.moments import Levers, Moments, World, average_effects, inbreeding
from jaxbreed.theory_index import Index, passing_now


def curvature(world: World, state: Moments, levers: Levers, index: Index) -> Array:
    """Half the second derivative of dosages by the standardised index, skewed as it is.

    With rho the regression on the index, k21 the third cumulant of a dosage and twice the index and k30 that of the
    index, what is above a point of it has the mean rho i + (k21 / 2 - rho k30 / 3) (i^2 - k): a skewed index shortens
    one tail (-rho k30 / 2 by regression, rho k30 / 6 by its quantiles; Cornish & Fisher, to the first order).

    Where d > 0 the best of a family are its heterozygotes. With M / 2 the covariance of a gamete k21 is -2 M (d * M
    alpha), k30 -3 sum d (M alpha)^2. In closed lineages mates are heterozygous at the same loci, 1 + F times as often
    as at random: exactly after one generation of full sibs, too little by 5 % and 17 % after two and three.

    Where tameness g gates errors, the wild have the largest: an error of variance V exp(-2 gating g) has with the
    dosages a cumulant of -2 gating V times their covariance with g, and the index three times its own.

    Args:
      world: what is fixed.
      state: the eggs.
      levers: the breeder's decisions.
      index: what they make of records.

    Returns:
      (block, n).
    """
    competing, onto, spread = index.competing, index.onto, index.spread
    bend = jnp.zeros(onto.shape)
    if world.heterosis is not None:
        heterosis = jnp.einsum("t,tbn->bn", index.shown, world.heterosis)
        alike = 1 + inbreeding(state) if world.closed else 1.0
        skewed = (heterosis * onto**2).sum()
        bend -= alike * (jnp.einsum("bnm,bm->bn", competing.near, heterosis * onto) - skewed * onto) / spread
    if world.gating is not None:
        errors = passing_now(world, state)
        of_tameness = world.gating.T @ (levers.weights * (errors @ levers.weights))
        of_dosage = toward(average_effects(world, state), competing, of_tameness)
        lasting = (jnp.einsum("t,tbn->bn", index.shown, average_effects(world, state)) * of_dosage).sum()
        dominance = deviations(world, state)
        shared, clutch = (1 - world.share) * dominance.mixed, 0.0
        if world.across:
            shared, clutch = dominance.between, (1 - 1 / world.lineages) * world.clutch
        lasting += index.shown @ (dominance.within + levers.family_weight * shared) @ of_tameness
        lasting += levers.weights @ (world.residual - world.passing + levers.family_weight * clutch) @ of_tameness
        bend -= (of_dosage - 2 * onto * lasting / spread) / spread / spread
    return bend


def settled(world: World, state: Moments, pull: Array) -> Moments:
    """Families after selection for heterozygotes, which draws their frequencies together.

    In a family of dosage X the effect of a copy is a + d (1 - X): selection of i shifts X by i / SD times the variance
    within times that, so that deviations of families shrink by i / SD times the variance within times d. They do by
    half: a parent that segregates has no deviation of its own; in closed lineages its mate has the less, about by
    (1 - F) / (1 + F).

    Args:
      world: what is fixed.
      state: the eggs.
      pull: (trait,), weights times i / SD.
    """
    if world.heterosis is None:
        return state
    number = np.arange(world.effect.shape[-1])
    shrunk = jnp.einsum("t,tbn->bn", pull, world.heterosis) * state.within.near[:, number, number]
    f = inbreeding(state)
    alike = (1 - f) / (1 + f) if world.closed else 1.0
    factor = jnp.clip(1 - 0.5 * alike * shrunk, 0.0, 1.5)
    return state._replace(between=scaled(state.between, factor), mixed=scaled(state.mixed, factor))
