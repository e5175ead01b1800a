"""What ask_v1.py checks beside what schemathesis does by itself."""

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection


@schemathesis.check
def wrong_fields_are_refused(ctx, response, case):
    """Paths, queries and bodies that the description forbids are refused.

    Headers are not looked at: HTTP has many that no description names, and a wrong Authorization beside a
    good X-Api-Key is not read.
    """
    if case.meta is None:
        return None
    wrong = [where for where, part in case.meta.components.items() if part.mode.is_negative]
    if ParameterLocation.HEADER in wrong:
        return None
    return negative_data_rejection(ctx, response, case)
