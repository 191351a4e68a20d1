"""Traits by name, as files and command lines give them."""

from collections.abc import Mapping, Sequence


def trait_number(name: str, traits: Sequence[str], field: str) -> int:
    """The number of a trait.

    Args:
      name: of the trait.
      traits: names of all.
      field: where the name was given.

    Raises:
      ValueError: there is no such trait; one sentence.
    """
    if name not in traits:
        raise ValueError(f"{field} names {name!r}; the traits are {', '.join(traits)}")
    return list(traits).index(name)


def trait_values(given: Mapping[str, float] | Sequence[float], traits: Sequence[str], field: str) -> tuple[float, ...]:
    """One number for each trait, from numbers by name (0 where a name is left out) or in the traits' order.

    Raises:
      ValueError: a name is unknown or the number of values is wrong; one sentence.
    """
    if isinstance(given, Mapping):
        values = [0.0] * len(traits)
        for name, value in given.items():
            values[trait_number(name, traits, field)] = float(value)
        return tuple(values)
    if len(given) != len(traits):
        raise ValueError(
            f"{field} has {len(given)} values; it must have {len(traits)}, one for each trait ({', '.join(traits)})"
        )
    return tuple(float(value) for value in given)
