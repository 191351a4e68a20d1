"""Checks of fields: one sentence on the first value that cannot be."""


def require(*checks: tuple[bool, str, object, str]) -> None:
    """Passes if every field is good.

    Args:
      checks: of each field, in the order in which faults are told: whether it is good, its name, its value, and what
        would be right, after "it must be".

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    for good, field, value, right in checks:
        if not good:
            raise ValueError(f"{field} is {f'{value:g}' if isinstance(value, float) else value}; it must be {right}")
