"""What the tables of a scenario file have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(gt=0, le=1, strict=True)]
# Bounds keep every number within what 32 bits hold and sums of them finite; none is near what a programme needs.
Count = Annotated[int, Field(ge=1, le=10_000_000, strict=True)]
Many = Annotated[int, Field(ge=1, le=100_000, strict=True)]
Number = Annotated[float, Field(ge=-1e6, le=1e6, strict=True)]
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]


class Table(BaseModel):
    """A table that takes its own keys alone, and finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
