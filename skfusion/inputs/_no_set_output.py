"""What a transformer says in its class statement whose output is no table."""

from __future__ import annotations

from typing import Any

__all__ = ["NO_SET_OUTPUT"]

# scikit-learn's set_output would make a frame of blocks. As a mapping, because type checkers
# know the keyword of a base class only where the base class is typed.
NO_SET_OUTPUT: dict[str, Any] = {"auto_wrap_output_keys": None}
