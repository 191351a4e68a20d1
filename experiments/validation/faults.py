"""The faults of `mutants.py`: one replacement each, what it breaks, and tests that should see it if verify does not."""

from typing import NamedTuple


class Fault(NamedTuple):
    """One deliberate fault."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()
    checks: str = ""  # instead of those below

    @property
    def kind(self) -> str:
        """What the copy runs: the XLA kernels, the C++ kernels as they are, or those compiled with the fault."""
        if self.file.startswith("kernels/cpp/"):
            return "compiled"
        return "xla" if not self.file or self.file.startswith("kernels/") else "native"

    @property
    def only(self) -> str:
        """The checks that can see it: those of kernels, or those of programmes."""
        if not self.file:
            return ""
        return self.checks or {"xla": OF_KERNELS, "native": OF_PROGRAMMES, "compiled": OF_NATIVE}[self.kind]


OF_KERNELS = "V1,V2,V3,V4,V5,V6,V15,V32"
OF_PROGRAMMES = "V11,V12,V13,V14,V18,V19,V20,V21,V22,V24,V29,V30"
OF_NATIVE = "V1,V2,V3,V4,V5,V6,V9,V10,V15"
OF_RECORDS = "V7,V29"


FAULTS = (
    Fault("none", "nothing", "", "", ""),
    Fault(
        "sexes-swapped",
        "each sex recombines on the other's map",
        "kernels/walkmap.py",
        "position[s], length[s], bits) for s in range(2)]",
        "position[1 - s], length[1 - s], bits) for s in range(2)]",
    ),
    Fault(
        "hatch-one-locus-off",
        "a hatched gamete changes haplotype one place late",
        "kernels/hatch.py",
        "crossed = so_far[:, sex, slot] - before[:, sex, first_slot]",
        "crossed = before[:, sex, slot] - before[:, sex, first_slot]",
    ),
    Fault(
        "score-one-locus-off",
        "a scored gamete changes haplotype one locus late",
        "kernels/suffix.py",
        "jump = suffix[rows, :, walk_map.first_locus] -",
        "jump = suffix[rows, :, jnp.minimum(walk_map.first_locus + 1, walk_map.chromosome_end)] -",
    ),
    Fault(
        "chromosomes-linked",
        "the first locus of a chromosome goes with the last of the one before",
        "kernels/walk.py",
        "odd = jnp.where(here == chromosome, odd ^ 1, 0)",
        "odd = jnp.where(here == chromosome, odd ^ 1, odd ^ 1)",
    ),
    Fault(
        "one-phase-for-two",
        "two chromosomes start on the same haplotype",
        "kernels/hatch.py",
        ">> (chromosome & 31).astype(jnp.uint32)",
        ">> (chromosome & 30).astype(jnp.uint32)",
    ),
    Fault(
        "one-gamete-for-both",
        "dam and sire pass on the same crossovers and phases",
        "kernels/walk.py",
        "_GAMETE = ((0,), (SIRE,))",
        "_GAMETE = ((0,), (0,))",
    ),
    Fault(
        "gaps-too-long",
        "distances between crossovers up to 2 % too long",
        "kernels/quantiles.py",
        "return octaves * _LN2 +",
        "return octaves * (_LN2 * 51 // 50) +",
    ),
    Fault(
        "crossovers-interfere",
        "no second crossover within 5 cM of the first",
        "kernels/walk.py",
        "position = jnp.minimum(place.position + exponential_gap(word), end)",
        "position = jnp.minimum(place.position + jnp.maximum(exponential_gap(word), 52429), end)",
    ),
    Fault(
        "tail-cut",
        "normal deviates end at 5 SD, as those of uniforms of few bits",
        "kernels/quantiles.py",
        "at = zeros.astype(jnp.int32) * (_NORMAL_CELLS + 1) + cell",
        "at = jnp.minimum(zeros, 20).astype(jnp.int32) * (_NORMAL_CELLS + 1) + cell",
        checks="V7",
    ),
    Fault(
        "another-hash",
        "a rotation of the hash is another: still good random words",
        "kernels/threefry.py",
        "((13, 15, 26, 6), (17, 29, 16, 24))",
        "((13, 15, 26, 7), (17, 29, 16, 24))",
        checks="V1,V3,V7,V34",
    ),
    Fault(
        "started-at-a-chiasma",
        "with interference the first chromosome starts as if at a crossover",
        "kernels/walk.py",
        "positions, place = positions_of(draw(jnp.uint32(0)), Place(zero, zero, zero))",
        "positions, place = positions_of(draw(jnp.uint32(0)), Place(zero, zero, zero + 1))",
        checks="V26",
    ),
    Fault(
        "residual-shared",
        "all eggs of a family have one environment",
        "kernels/fate.py",
        "words += threefry2x32(key, eggs, jnp.uint32(NOISE + block))",
        "words += threefry2x32(key, eggs * 0, jnp.uint32(NOISE + block))",
        checks=OF_RECORDS,
    ),
    Fault(
        "residuals-uncorrelated",
        "environmental covariances are left out",
        "kernels/fate.py",
        "total = total + noise.mantissa[trait, other] * deviate",
        "total = total + (trait == other) * noise.mantissa[trait, other] * deviate",
        checks=OF_RECORDS,
    ),
    Fault(
        "sex-goes-with-survival",
        "the word that tells survival tells the sex, and females die",
        "kernels/fate.py",
        "return threefry2x32(key, eggs, jnp.uint32(FATE))[0] <= threshold",
        "return threefry2x32(key, eggs, jnp.uint32(FATE))[1] << 31 | threefry2x32(key, eggs, 0)[0] >> 1 <= threshold",
        checks=OF_RECORDS,
    ),
    Fault(
        "dominance-of-one-parent",
        "heterozygosity of eggs misses the part of both parents together",
        "kernels/suffix.py",
        "half = -(dam[1] - dam[0]) * (sire[1] - sire[0])  # i / 2",
        "half = 0 * (dam[1] - dam[0]) * (sire[1] - sire[0])  # i / 2",
        checks="V20,V32",
    ),
    Fault(
        "mutations-only-up",
        "a mutation makes any allele a 1",
        "kernels/hatch.py",
        "return young.at[at].set(young[at] ^ hit)",
        "return young.at[at].set(young[at] | hit)",
        checks="V27,V32",
    ),
    Fault(
        "best-of-the-last-chunk",
        "the best so far are forgotten with every chunk of eggs",
        "kernels/topk.py",
        "ranks, eggs = jnp.concatenate([rank, new_rank], -1)",
        "ranks, eggs = jnp.concatenate([rank * 0, new_rank], -1)",
        checks="V9,V10",
    ),
    Fault(
        "selection-at-random",
        "breeders are drawn at random from the candidates",
        "jaxbreed/selection.py",
        "order = jnp.where(fraction > 0, jnp.where((order >= limit) & (order > 0), lucky, 0), order)",
        "order = jnp.where(order > 0, lucky, 0)",
    ),
    Fault(
        "sexes-selected-together",
        "sires are taken from the list of females",
        "jaxbreed/selection.py",
        "rank, egg = tested.rank[..., sex, :], tested.egg[..., sex, :]",
        "rank, egg = tested.rank[..., 0, :], tested.egg[..., sex, :]",
    ),
    Fault(
        "s-on-genetic-values",
        "the selection differential is that of genetic values",
        "jaxbreed/history.py",
        'data["selection_differential"][:, g] += weighted(parents.phenotype)',
        'data["selection_differential"][:, g] = weighted(parents.genetic) - data["tested_mean"][:, g]',
    ),
    Fault(
        "response-against-selected",
        "the response is counted from the selected instead of all",
        "jaxbreed/history.py",
        'data["trait_mean"][:, g + 1] - data["trait_mean"][:, g]',
        'data["trait_mean"][:, g + 1] - data["selected_mean"][:, g]',
    ),
    Fault(
        "clutch-effect-inherited",
        "what a clutch shares leaks into breeding values",
        "jaxbreed/generation.py",
        "        genetic=genetic,\n",
        "        genetic=genetic + families.clutch[rows, chosen.lineage, chosen.sire],\n",
    ),
    Fault(
        "clutch-effect-by-sire",
        "each sire's family in a clutch has an effect of its own",
        "jaxbreed/clutch.py",
        "family_key(words[:, None, None], dam_name, dam_name)",
        "family_key(words[:, None, None], dam_name, sire_name)",
    ),
    Fault(
        "clutch-effect-unseen",
        "animals are ranked without what their clutch shares",
        "jaxbreed/testing.py",
        "rank = jnp.where(tested.rank == ABSENT, ABSENT, tested.rank + index[..., None, None])",
        "rank = jnp.where(tested.rank == ABSENT, ABSENT, tested.rank + 0 * index[..., None, None])",
    ),
    Fault(
        "sires-unnamed",
        "eggs of one dam by different sires have the same luck",
        "kernels/fate.py",
        "for name in (dam, sire):",
        "for name in (dam, dam):",
        checks="V24",
    ),
    Fault(
        "replicates-alike",
        "all replicates have the same luck",
        "jaxbreed/simulation.py",
        "jax.random.split(jax.random.fold_in(jax.random.fold_in(key, r), g))",
        "jax.random.split(jax.random.fold_in(jax.random.fold_in(key, 0 * r), g))",
    ),
    Fault(
        "index-before-standardising",
        "index weights are taken by trait unit instead of by SD",
        "jaxbreed/testing.py",
        "per_unit = weights / traits.sd_phenotypic\n    # Absolute",
        "per_unit = weights / 1.0\n    # Absolute",
    ),
    Fault(
        "negative-weights-positive",
        "a trait that is to fall is selected to rise",
        "jaxbreed/testing.py",
        "per_unit = weights / traits.sd_phenotypic\n    # Absolute",
        "per_unit = abs(weights) / traits.sd_phenotypic\n    # Absolute",
        checks="V11,V12,V17,V18,V22,V30",
    ),
    Fault(
        "unrelated-to-oneself",
        "kinship with oneself counts like that with a sib",
        "jaxbreed/pedigree.py",
        "return jnp.where(same, 0.5 * (1.0 + inbreeding)[:, None], between)",
        "return between",
    ),
    Fault(
        "all-males-kept",
        "every place for a sire gets another male, however few are kept",
        "jaxbreed/mating.py",
        "turn = jnp.arange(places) % jnp.clip(kept, 1, places)",
        "turn = jnp.arange(places)",
    ),
    Fault(
        "linkage-forgotten",
        "closed-form variances take all loci for unlinked",
        "jaxbreed/linkage.py",
        "decay[:, np.diff(chromosome, prepend=-1) != 0] = 0.0",
        "decay[:] = 0.0",
    ),
    Fault(
        "variance-of-one-parent",
        "closed-form variance within families counts one gamete",
        "jaxbreed/variance.py",
        'within = 2.0 * jnp.einsum("ra,ratu->rtu", contribution, gametic)',
        'within = jnp.einsum("ra,ratu->rtu", contribution, gametic)',
    ),
    Fault(
        "bulmer-unhalved",
        "the theory does not renew half of the variance",
        "jaxbreed/theory.py",
        "variance = 0.5 * variance * (1.0 - k * variance / total) + 0.5 * base * outbred",
        "variance = variance * (1.0 - 0.5 * k * variance / total)",
        checks="V12",
    ),
    Fault(
        "sessions-not-averaged",
        "the mean of several sessions errs like one",
        "jaxbreed/staging.py",
        "error = animals.error[number, entered] / np.sqrt(stage.sessions)",
        "error = animals.error[number, entered]",
        checks="V23",
    ),
    Fault(
        "average-effect-of-the-other",
        "average effects take the other allele's frequency",
        "jaxbreed/dominance.py",
        "return effect + dominance * (1 - 2 * frequency[..., None, :])",
        "return effect - dominance * (1 - 2 * frequency[..., None, :])",
        checks="V20",
    ),
    Fault(
        "prediction-trusts-noise",
        "genomic prediction takes records for ten times as heritable",
        "jaxbreed/prediction.py",
        "    ratio = (1 - h2) / h2\n    root",
        "    ratio = 0.01 * (1 - h2) / h2\n    root",
        checks="V31",
    ),
    Fault(
        "founders-homozygous",
        "both haplotypes of a founder drawn from frequencies are one",
        "jaxbreed/founders.py",
        "pair[:] = rng.random(pair.shape) < probability",
        "pair[:] = rng.random(pair.shape[1:]) < probability",
        checks="V13,V28",
    ),
    Fault(
        "spectrum-flat",
        "mutations fall on branches whatever their length",
        "jaxbreed/founders.py",
        'below = node[np.searchsorted(reach[:-1], rng.random() * reach[-1], side="right")]',
        "below = node[rng.integers(node.size)]",
        checks="V28",
    ),
    Fault(
        "centimorgans-as-morgans",
        "map files in cM are read as Morgans",
        "jaxbreed/mapfile.py",
        "_CM_PER_MORGAN, _BP_PER_MB = 100.0, 1e6",
        "_CM_PER_MORGAN, _BP_PER_MB = 1.0, 1e6",
        ("tests/test_map_files.py",),
        "V1,V11",
    ),
    Fault(
        "gradient-of-the-other-sign",
        "the way back gives the gradient of less of the weights",
        "jaxbreed/course.py",
        'weights=like("weights", of.weights),',
        'weights=like("weights", -of.weights),',
        ("tests/test_course.py",),
        "V25",
    ),
    Fault(
        "paternity-reversed",
        "later sires of a clutch get the larger shares",
        "jaxbreed/clutch.py",
        "[settings.paternity**s * (s < count) for s in range(most)]",
        "[settings.paternity ** (count - 1 - s) * (s < count) for s in range(most)]",
        ("tests/test_variance.py",),
        "V24",
    ),
    Fault(
        "native-chromosomes-linked",
        "the same in the C++ kernels: a chromosome goes on where the one before ended",
        "kernels/cpp/walk.h",
        "turned = (here == before) & ~turned;",
        "turned = ~turned;",
    ),
    Fault(
        "native-tail-cut",
        "normal deviates of the C++ kernels end at 5 SD",
        "kernels/cpp/deviates.h",
        "const Word at = zeros * (uint32_t)kNormalKnots",
        "const Word far = (Word)(zeros > 20u);\n"
        "  const Word at = ((zeros & ~far) | (far & 20u)) * (uint32_t)kNormalKnots",
        checks="V7,V33",
    ),
)
