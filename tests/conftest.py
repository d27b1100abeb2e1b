"""One torch thread, and how many examples the property tests try.

On busy cores two threads are several times slower, and one is bit-reproducible.
"""

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)

_SLOW_IS_FINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# The same examples in every quick run, others in every nightly one.
settings.register_profile(
    "quick", max_examples=200, derandomize=True, database=None, **_SLOW_IS_FINE
)
settings.register_profile("nightly", max_examples=10_000, **_SLOW_IS_FINE)


def pytest_configure(config: pytest.Config) -> None:
    """Try many more examples where nightly tests are asked for."""
    asked = "nightly" in config.option.markexpr.replace("not nightly", "")
    settings.load_profile("nightly" if asked else "quick")
