"""Gradients that start on the edge of what is allowed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxbreed as jb
from jaxbreed.edges import cut
from jaxbreed.space import Lever, build_space


def test_cut_has_the_gradient_of_the_inside_on_an_edge():
    values = jnp.array([-1.0, 0.0, 0.3, 1.0, 1.0000001, 2.0])
    kept, slope = jax.vmap(jax.value_and_grad(lambda x: cut(x, 0.0, 1.0)))(values)
    np.testing.assert_allclose(kept, jnp.clip(values, 0.0, 1.0))
    assert slope.tolist() == [0, 1, 1, 1, 1, 0]  # jnp.clip has 0.5 at both edges


@pytest.fixture(scope="module")
def world():
    genetic_map = jb.GeneticMap.uniform(chromosomes=4, loci=40, length_morgan=0.5)
    settings = jb.Settings(lineages=6, eggs=(480, 480), sires=(2, 2), scope="across")
    founders = jb.Founders.from_frequencies(np.full(40, 0.5), genetic_map, settings.animals, seed=2)
    traits = jb.additive_traits(founders.haplotypes, ["a", "b"], [0.5, 0.3], np.eye(2), qtl=40)
    return jb.make_program(genetic_map, traits, settings), founders


# Males: 12 places, all filled. Weights: an angle of 0. Tests: all 480 eggs live, as e^(ln 480) in single precision.
@pytest.mark.parametrize(("name", "inwards"), [("males", -1), ("weights", 1), ("tests", -1)])
def test_a_search_that_starts_on_an_edge_sees_the_slope_inside(world, name, inwards):
    program, founders = world
    start = jb.constant_schedule(2, [1.0, 0.0])
    low = 0.0 if name == "weights" else None
    space = build_space(start, (Lever(name, low=low),), program.settings)

    def worth(theta):
        course = jb.expected_course(program, founders, space.schedule(theta), seed=1)
        return course.gain[0, -1].sum() - course.inbreeding[0, -1] + 1e-3 * course.tests.sum()

    theta, step = space.theta(), 0.004
    ahead = [float(worth(jax.tree.map(lambda x, k=k: x + k * inwards * step, theta))) for k in (0, 1, 2)]
    one_sided = inwards * (-3 * ahead[0] + 4 * ahead[1] - ahead[2]) / (2 * step)
    assert abs(one_sided) > 0.01
    slope = float(sum(x.sum() for x in jax.tree.leaves(jax.grad(worth)(theta))))
    assert slope == pytest.approx(one_sided, rel=0.05)
