"""Signals of blinker for metrics and tests: they are sent in the process in which something happened.

`recorded` is sent after the transaction of an event was committed, with the application as sender and the event as
`event` (`userapi.core.hooks.Event`). A receiver may only look: it is called in the request, whose transaction has
ended, so it must not use the database. What it raises is logged. Blinker keeps weak references, so a receiver that is a
local function is gone immediately. What must not be missed belongs into a subscriber (docs/extending.md).
"""

from blinker import Namespace

_signals = Namespace()

recorded = _signals.signal("recorded")
