"""The deliverer of one machine: a thread of the server, woken when a letter is committed."""

from flask import Flask

from userapi.core import clock, loop
from userapi.core.loop import Background, Round

from . import queries
from .delivery import Counts, deliver_due
from .outbox import WRITTEN

#: Looks for letters that others wrote, or that are due again, this often in seconds.
POLL = 3.0

#: Letters over one connection to the mail server.
BATCH = 100


class Deliverer(Background):
    """A thread that delivers what is due until it is told to stop."""

    name = "mail-deliverer"
    logger = "userapi.mail"
    failed = "delivery failed"
    mark = WRITTEN

    def do_round(self) -> Round:
        """Deliver the letters that are due; some mail servers take only so many at a time, so there may be more."""
        is_due = queries.count_waiting(clock.now())
        counts = deliver_due(BATCH, stop=self.is_stopping) if is_due else Counts()
        if counts.sent:
            return Round.MORE
        return Round.TROUBLE if counts.unreachable else Round.DONE

    def poll(self) -> float:
        """See `POLL`."""
        return POLL


def configure(app: Flask) -> None:
    """Deliver while the application serves, unless the settings leave that to others or keep all letters."""
    if loop.is_left_to_others(app) or not app.config["MAIL_SERVER"]:
        return
    app.extensions["userapi-deliverer"] = Deliverer(app)
    loop.run(app.extensions["userapi-deliverer"])
