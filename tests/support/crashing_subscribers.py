"""Runs two workers that call a subscriber, replaces each that dies, and prints their process ids; a test kills them.

The subscriber appends the id of each event to the file that is the argument. The workers are forked from a process that
has everything loaded, so a replacement takes milliseconds.
"""

import os
import random
import signal
import sys
import time
from datetime import timedelta

import config
from userapi.app import create_app
from userapi.audit import subscribers
from userapi.core import hooks, loop
from userapi.core.hooks import After, Event
from userapi.outbound import notice_loop, notices


def main() -> None:
    notices.FIRST_DELAY = notice_loop.POLL_INTERVAL = 0.2  # in seconds, short so that the test is fast
    notices.LEASE = timedelta(seconds=1)
    app = create_app(config.load())
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write_down(event: Event) -> None:
        time.sleep(random.uniform(0, 0.01))
        os.write(file, f"{event.id}\n".encode())
        time.sleep(random.uniform(0, 0.01))

    hooks.register(app, "shop", after=[After("user.*", write_down)])
    subscribers.configure(app)

    def begin() -> None:
        process = os.fork()
        if process == 0:
            app.extensions[loop.LOOPS][notices.LOOP].start()
            signal.pause()
        print(process, flush=True)

    begin()
    begin()
    while os.wait():
        begin()


if __name__ == "__main__":
    main()
