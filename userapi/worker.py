"""The Celery app and its timetable: what is done again and again, on machines of its own.

    celery --app userapi.worker worker
    celery --app userapi.worker beat

Only beat puts tasks into the broker, and only workers take them out: the web side writes rows, so that a broker that is
away costs no request anything. A task carries nothing and does what a shell command does as well. It may be done twice,
or by two workers at once; the work of one that got lost is done by the next.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from queue import Empty
from typing import Any

import structlog
from celery import Celery, signals
from kombu.transport import redis as redis_transport

from userapi.auth import pruning
from userapi.bulk import job_worker as bulk
from userapi.core import clock
from userapi.core.context import Acting, Origin, acting_as
from userapi.mail import delivery
from userapi.mail import pruning as mail_pruning
from userapi.serving import app as web
from userapi.transfer import job_worker

log = structlog.get_logger("userapi.worker")

#: Between two looks into the outbox, for imports, for bulk actions, and between two prunings, in seconds.
DELIVERY = 2.0
IMPORTS = 3.0
BULK = 3.0
PRUNING = 3600.0

#: A round of emails goes over one connection, and begins none after so many emails or seconds; a bulk action no batch.
BATCH = 100
ROUND = 30.0

#: How long sessions and links stay after they were over, as with `flask sessions prune`.
KEPT = timedelta(days=7)

#: A task that has waited longer for a worker, in seconds, is dropped.
EXPIRY = 60.0

#: The longest that a task may take, in seconds: a round whose last letter takes as long as its lease.
LONGEST = ROUND + delivery.LEASE_IN_TIMEOUTS * web.config["MAIL_TIMEOUT"]

#: And an import: no longer than the longest lease. Of most of them, another worker does the rest.
LONGEST_IMPORT = job_worker.ALL_OR_NOTHING_LEASE.total_seconds() - 60

if not web.config["CELERY_BROKER_URL"]:
    sys.exit("userapi: CELERY_BROKER_URL: Not set. Set it to the URL of the broker, such as redis://127.0.0.1:6379/1.")

celery = Celery("userapi", broker=web.config["CELERY_BROKER_URL"])
celery.conf.update(
    accept_content=["json"],
    task_default_queue="userapi",
    task_ignore_result=True,
    task_acks_late=True,
    task_time_limit=LONGEST,
    worker_prefetch_multiplier=1,
    # Redis hands a task that was taken and not done to another worker after this time.
    broker_transport_options={"visibility_timeout": max(LONGEST, LONGEST_IMPORT) + EXPIRY},
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Who gets at the broker is not to stop workers, or to ask them for their settings.
    worker_enable_remote_control=False,
    timezone="UTC",
    beat_schedule={
        "deliver mail": {"task": "userapi.deliver_mail", "schedule": DELIVERY, "options": {"expires": EXPIRY}},
        "import users": {"task": "userapi.import_users", "schedule": IMPORTS, "options": {"expires": EXPIRY}},
        "act on users": {"task": "userapi.act_on_users", "schedule": BULK, "options": {"expires": EXPIRY}},
        "prune": {"task": "userapi.prune", "schedule": PRUNING, "options": {"expires": EXPIRY}},
    },
)


class Channel(redis_transport.Channel):
    """What comes over Redis; what is no message at all is dropped, where kombu would end the worker."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            log.exception("dropped an invalid task", error=repr(error))
            raise Empty from error


redis_transport.Transport.Channel = Channel


@contextmanager
def _at_work() -> Iterator[None]:
    """The application, at work by itself."""
    with web.app_context(), acting_as(Acting(Origin.SYSTEM)):
        yield


@celery.task(name="userapi.deliver_mail")
def deliver_mail() -> None:
    """Deliver the letters that are due."""
    end = time.monotonic() + ROUND
    with _at_work():
        delivery.deliver_due(BATCH, stop=lambda: time.monotonic() > end)


@celery.task(name="userapi.import_users", time_limit=LONGEST_IMPORT)
def import_users() -> None:
    """Do the import that staff have waited for the longest."""
    with _at_work():
        job_worker.run_next_job()


@celery.task(name="userapi.act_on_users")
def act_on_users() -> None:
    """Do the bulk action that staff have waited for the longest, or a part of it: the next task continues."""
    end = time.monotonic() + ROUND
    with _at_work():
        bulk.run_next_job(stop=lambda: time.monotonic() > end)


@celery.task(name="userapi.prune")
def prune() -> None:
    """Clear away sessions and links that have long been over, and letters that are long done with."""
    with _at_work():
        pruning.prune(clock.now() - KEPT)
        mail_pruning.prune(clock.now() - timedelta(days=web.config["MAIL_KEEP_DAYS"]))


@signals.setup_logging.connect
def log_as_the_service_does(**_settings: Any) -> None:
    """Let what Celery has to say be lines as ours; that it did on time what it always does is not worth one."""
    for name, level in (("celery", logging.WARNING), ("celery.apps.worker", logging.INFO), ("kombu", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers[:] = logging.getLogger("userapi").handlers
        logger.setLevel(level)
        logger.propagate = False
