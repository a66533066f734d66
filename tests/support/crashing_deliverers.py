"""Two deliverers at a time: whichever dies is replaced, and each says its process id; `test_mail_delivery` kills them.

They are forked from one process that has everything loaded, so that a death costs milliseconds and many fit in a test.
"""

import os
import signal

import config
from userapi.app import create_app
from userapi.mail import delivery, delivery_loop


def main() -> None:
    app = create_app(config.load())
    delivery.FIRST_DELAY = delivery_loop.POLL_INTERVAL = 0.2  # seconds, so that the test takes a short time
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
