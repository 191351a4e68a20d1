"""jaxbreed: a large-scale clutch simulator.

It simulates every egg of very large clutches, with real chromosomes, over many lineages and generations of selection.

    import jaxbreed as jb
    scenario = jb.Scenario(species="octopus-vulgaris", clutch={"eggs": 5000, "survival": 1.0})
    history = jb.run(scenario)
    jb.plot(history, "gain.png", title="Common octopus")

Names are loaded when first used, so that `import jaxbreed` stays instant and never touches a device.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxbreed.arms import policy_arms as policy_arms
    from jaxbreed.arms import read_arms as read_arms
    from jaxbreed.battery import Battery as Battery
    from jaxbreed.budget import expected_cost as expected_cost
    from jaxbreed.build import prepare as prepare
    from jaxbreed.build import run as run
    from jaxbreed.comparison import Arm as Arm
    from jaxbreed.comparison import Comparison as Comparison
    from jaxbreed.comparison import compare as compare
    from jaxbreed.comparison_figure import plot_comparison as plot_comparison
    from jaxbreed.comparison_file import load_comparison as load_comparison
    from jaxbreed.comparison_file import save_comparison as save_comparison
    from jaxbreed.cores import use_cores as use_cores
    from jaxbreed.costs import Prices as Prices
    from jaxbreed.course import Course as Course
    from jaxbreed.course import calibrate as calibrate
    from jaxbreed.course import expected_course as expected_course
    from jaxbreed.course import simulate_course as simulate_course
    from jaxbreed.effects import TraitModel as TraitModel
    from jaxbreed.effects import additive_traits as additive_traits
    from jaxbreed.effects import draw_traits as draw_traits
    from jaxbreed.figure import plot as plot
    from jaxbreed.founderfile import read_founders as read_founders
    from jaxbreed.founders import Founders as Founders
    from jaxbreed.founders import coalescent as coalescent
    from jaxbreed.front import trace_front as trace_front
    from jaxbreed.genetic_load import Load as Load
    from jaxbreed.genetic_load import draw_load as draw_load
    from jaxbreed.genome import GeneticMap as GeneticMap
    from jaxbreed.history import History as History
    from jaxbreed.limits import FinalInbreeding as FinalInbreeding
    from jaxbreed.limits import InbreedingRate as InbreedingRate
    from jaxbreed.limits import Limit as Limit
    from jaxbreed.limits import TotalCost as TotalCost
    from jaxbreed.markers import PredictionPlan as PredictionPlan
    from jaxbreed.objectives import CES as CES
    from jaxbreed.objectives import CVaR as CVaR
    from jaxbreed.objectives import DesiredGains as DesiredGains
    from jaxbreed.objectives import DiscountedGain as DiscountedGain
    from jaxbreed.objectives import FinalGain as FinalGain
    from jaxbreed.objectives import GainWithFloor as GainWithFloor
    from jaxbreed.objectives import Tempered as Tempered
    from jaxbreed.optimisation import Optimised as Optimised
    from jaxbreed.optimisation import optimize as optimize
    from jaxbreed.prediction import Prediction as Prediction
    from jaxbreed.prediction import fit_gblup as fit_gblup
    from jaxbreed.prediction import predicted_values as predicted_values
    from jaxbreed.program import Program as Program
    from jaxbreed.program import Settings as Settings
    from jaxbreed.program import make_program as make_program
    from jaxbreed.relationship import Relationship as Relationship
    from jaxbreed.relationship import genomic_relationship as genomic_relationship
    from jaxbreed.results import load as load
    from jaxbreed.results import save as save
    from jaxbreed.scenario import Scenario as Scenario
    from jaxbreed.scenario import read_scenario as read_scenario
    from jaxbreed.schedule import Schedule as Schedule
    from jaxbreed.schedule import constant_schedule as constant_schedule
    from jaxbreed.simulation import simulate as simulate
    from jaxbreed.space import Lever as Lever
    from jaxbreed.space import Space as Space
    from jaxbreed.space import build_space as build_space
    from jaxbreed.space_mapping import optimize_by_mapping as optimize_by_mapping
    from jaxbreed.stages import Stage as Stage
    from jaxbreed.summary import closing_table as closing_table
    from jaxbreed.theory_search import pareto_front as pareto_front
    from jaxbreed.traits import Traits as Traits
    from jaxbreed.traits import traits_from_effects as traits_from_effects
    from jaxbreed.vcf_writer import write_vcf as write_vcf

__version__ = version("jaxbreed")

_HOME = {
    "objectives": (
        "CES",
        "CVaR",
        "DesiredGains",
        "DiscountedGain",
        "FinalGain",
        "GainWithFloor",
        "Tempered",
    ),
    "limits": (
        "FinalInbreeding",
        "InbreedingRate",
        "Limit",
        "TotalCost",
    ),
    "space": (
        "Lever",
        "Space",
        "build_space",
    ),
    "optimisation": (
        "Optimised",
        "optimize",
    ),
    "theory_search": ("pareto_front",),
    "space_mapping": ("optimize_by_mapping",),
    "front": ("trace_front",),
    "arms": ("policy_arms", "read_arms"),
    "battery": ("Battery",),
    "budget": ("expected_cost",),
    "build": ("prepare", "run"),
    "comparison": ("Arm", "Comparison", "compare"),
    "comparison_figure": ("plot_comparison",),
    "comparison_file": ("load_comparison", "save_comparison"),
    "cores": ("use_cores",),
    "costs": ("Prices",),
    "course": ("Course", "calibrate", "expected_course", "simulate_course"),
    "effects": ("TraitModel", "additive_traits", "draw_traits"),
    "figure": ("plot",),
    "founderfile": ("read_founders",),
    "founders": ("Founders", "coalescent"),
    "genome": ("GeneticMap",),
    "history": ("History",),
    "genetic_load": ("Load", "draw_load"),
    "markers": ("PredictionPlan",),
    "prediction": ("Prediction", "fit_gblup", "predicted_values"),
    "program": ("Program", "Settings", "make_program"),
    "relationship": ("Relationship", "genomic_relationship"),
    "results": ("load", "save"),
    "scenario": ("Scenario", "read_scenario"),
    "schedule": ("Schedule", "constant_schedule"),
    "simulation": ("simulate",),
    "stages": ("Stage",),
    "summary": ("closing_table",),
    "traits": ("Traits", "traits_from_effects"),
    "vcf_writer": ("write_vcf",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted([*_MODULE_OF, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'jaxbreed' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"jaxbreed.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
