"""Runs two email deliverers, replaces each that dies, and prints their process ids; `test_mail_delivery` kills them.

They are forked from a process that has everything loaded, so a replacement takes milliseconds.
"""

import os
import signal

import config
from userapi.app import create_app
from userapi.mail import delivery, delivery_loop


def main() -> None:
    app = create_app(config.load())
    delivery.FIRST_DELAY = delivery_loop.POLL_INTERVAL = 0.2  # in seconds, short so that the test is fast
    delivery.LEASE_IN_TIMEOUTS = 3

    def begin() -> None:
        process = os.fork()
        if process == 0:
            delivery_loop.delivery_loop(app).start()
            signal.pause()
        print(process, flush=True)

    begin()
    begin()
    while os.wait():
        begin()


if __name__ == "__main__":
    main()
