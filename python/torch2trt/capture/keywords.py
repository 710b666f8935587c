"""Keywords of a call that the model does not have.

This file must not know what is done with the arguments.
"""

from __future__ import annotations

import difflib
import inspect
from typing import Any

from .errors import InputError


def check_names(signature: inspect.Signature, kwargs: dict[str, Any]) -> None:
    """Rejects a keyword that forward does not have: `Signature.bind` would report what is missing instead."""
    parameters = signature.parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = [parameter.name for parameter in parameters if parameter.kind in by_name]
    for name in kwargs:
        if name not in known:
            near = difflib.get_close_matches(name, [other for other in known if other not in kwargs], n=1)
            listed = f"its arguments are {', '.join(known)}" if known else "it takes no arguments by keyword"
            raise InputError(
                f"the arguments do not fit forward{signature}: unexpected keyword argument '{name}'",
                help=f"did you mean `{near[0]}`?" if near else listed,
            )


__all__ = ["check_names"]
