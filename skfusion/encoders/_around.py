"""Recipes around another one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from skfusion.encoders._base import Encoder
from skfusion.exceptions import BlockError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AroundEncoder"]


class AroundEncoder(Encoder):
    """Base of recipes around an ``encoder``, whose own parameters are reached through them."""

    encoder: Encoder

    def accepts(self, form: str) -> bool:
        return self.encoder.accepts(form)

    def reads(self, kind: str) -> object | None:
        return self.encoder.reads(kind)

    def misfit(self, name: str, what: str, forms: Iterable[str]) -> BlockError:
        return self.encoder.misfit(name, what, forms)

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the parameters; with ``deep`` the encoder's too, by their own names.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the encoder.

        Returns
        -------
        params : dict of str to object
            Values by parameter name.
        """
        params = super().get_params(deep=False)
        return {**self.encoder.get_params(), **params} if deep else params

    def set_params(self, **params: object) -> Self:
        """Set parameters of this recipe, or of the encoder.

        Parameters
        ----------
        **params : object
            Values by parameter name.

        Returns
        -------
        self : Encoder
            This recipe.
        """
        own = self._get_param_names()
        super().set_params(**{key: params.pop(key) for key in own if key in params})
        self.encoder.set_params(**params)
        return self
