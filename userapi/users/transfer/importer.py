"""The importer of one machine: a thread of the server, woken when staff ask for an import."""

from flask import Flask

from userapi.core import background
from userapi.core.background import Background, Round

from . import working
from .jobs import ASKED

#: Looks for imports that others asked for, or that a worker has left, this often in seconds.
POLL = 5.0


class Importer(Background):
    """A thread that does one import after the other until it is told to stop."""

    name = "importer"
    logger = "userapi.imports"
    failed = "import broke off"
    mark = ASKED

    def do_round(self) -> Round:
        """Do the import that waits longest."""
        return Round.MORE if working.do_due(stop=self.is_stopping) else Round.DONE

    def poll(self) -> float:
        """See `POLL`."""
        return POLL


def configure(app: Flask) -> None:
    """Import while the application serves, unless the settings leave that to others."""
    if not background.is_left_to_others(app):
        app.extensions["userapi-importer"] = Importer(app)
        background.run(app.extensions["userapi-importer"])
