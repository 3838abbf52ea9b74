"""What all tests share: how thoroughly properties are searched, and the everyday or long form.

S4_TEST_LONG asks for the long form. It is a setting of the tests and not of S4, which refuses
variables it does not know: it is never handed to a server.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No deadline, nor one for making examples: how long one takes says more of the neighbours than of
# the code.
settings.register_profile("everyday", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("everyday"), max_examples=2000)
settings.load_profile("long" if os.environ.get("S4_TEST_LONG") else "everyday")
