"""`python -m bench.chaos.dispatcher`: the dispatcher with a shallow broker, and less patience than production's.

With production's settings the first emptied broker would stop all work for half a minute, and the faults after it would
hit workers that have nothing to do.
"""

import os

from workers.dispatcher import Dispatcher

RESEND = "CHAOS_RESEND_AFTER_SECONDS"
IN_FLIGHT_LIMIT = 40

if __name__ == "__main__":
    Dispatcher(in_flight_limit=IN_FLIGHT_LIMIT, resend_after_seconds=float(os.environ[RESEND])).main()
