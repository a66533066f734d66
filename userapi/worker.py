"""The Celery app and its schedule: recurring tasks, on separate machines.

    celery --app userapi.worker worker
    celery --app userapi.worker beat

Only beat adds tasks to the broker, and only workers remove them. Requests write rows instead, so they do not depend on
the broker. A task has no arguments and does the same as a command. It may run twice, or in two workers at the same
time; if one is lost, the next one does its work.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from queue import Empty
from typing import Any

from celery import Celery, signals
from kombu.transport import redis as redis_transport

from userapi.audit import pruning as audit_pruning
from userapi.auth import api_key_warnings, pruning
from userapi.bulk import job_worker as bulk
from userapi.core import clock
from userapi.core.context import ActingContext, Origin, use_acting_context
from userapi.core.redis_urls import parse_sentinel_url
from userapi.invitations import deletion as invitation_deletion
from userapi.mail import delivery
from userapi.mail import pruning as mail_pruning
from userapi.openid import pruning as openid_pruning
from userapi.outbound import notices
from userapi.privacy import removal, retention
from userapi.serving import app as web
from userapi.transfer import job_worker
from userapi.webhooks import delivery as webhook_delivery
from userapi.webhooks import pruning as webhook_pruning

log = logging.getLogger("userapi.worker")

#: The intervals of the tasks, in seconds.
DELIVERY_INTERVAL = 2.0
NOTICE_INTERVAL = 2.0
WEBHOOK_INTERVAL = 2.0
IMPORT_INTERVAL = 3.0
BULK_INTERVAL = 3.0
PRUNING_INTERVAL = 3600.0

#: The number of emails that one task sends over one connection.
BATCH = 100

#: After this many seconds a task starts no further email, or batch of a bulk action.
MAX_ROUND = 30.0

#: How long sessions and links are kept after they ended, as in `flask sessions prune`.
RETENTION = timedelta(days=7)

#: A task that no worker has started after this many seconds is dropped.
EXPIRY = 60.0

#: The time limit of a task, in seconds: the last email may take as long as its lease.
TIME_LIMIT = MAX_ROUND + delivery.LEASE_IN_TIMEOUTS * web.config["MAIL_TIMEOUT"]

#: The time limit of an import, in seconds: less than its longest lease. Another worker continues it.
IMPORT_TIME_LIMIT = job_worker.ALL_OR_NOTHING_LEASE.total_seconds() - 60

if not web.config["CELERY_BROKER_URL"]:
    sys.exit("userapi: CELERY_BROKER_URL: Not set. Set it to the URL of the broker, such as redis://127.0.0.1:6379/1.")

sentinels = parse_sentinel_url(web.config["CELERY_BROKER_URL"])
broker = sentinels.for_celery if sentinels else web.config["CELERY_BROKER_URL"]
celery = Celery("userapi", broker=broker)
celery.conf.update(
    # Instead of `broker`, Celery would use the variable CELERY_BROKER_URL, in which it does not know our Sentinels.
    broker_read_url=broker,
    broker_write_url=broker,
    accept_content=["json"],
    task_default_queue="userapi",
    task_ignore_result=True,
    task_acks_late=True,
    task_time_limit=TIME_LIMIT,
    worker_prefetch_multiplier=1,
    # After this time, Redis gives a task that was not finished to another worker.
    broker_transport_options={
        "visibility_timeout": max(TIME_LIMIT, IMPORT_TIME_LIMIT) + EXPIRY,
        **({"master_name": sentinels.service, "sentinel_kwargs": sentinels.credentials} if sentinels else {}),
    },
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Access to the broker must not be enough to stop workers or read their settings.
    worker_enable_remote_control=False,
    timezone="UTC",
    beat_schedule={
        "deliver mail": {"task": "userapi.deliver_mail", "schedule": DELIVERY_INTERVAL, "options": {"expires": EXPIRY}},
        "import users": {"task": "userapi.import_users", "schedule": IMPORT_INTERVAL, "options": {"expires": EXPIRY}},
        "act on users": {"task": "userapi.act_on_users", "schedule": BULK_INTERVAL, "options": {"expires": EXPIRY}},
        "prune": {"task": "userapi.prune", "schedule": PRUNING_INTERVAL, "options": {"expires": EXPIRY}},
    },
)

if web.config["API_KEY_MAX_LIFETIME"]:
    celery.conf.beat_schedule["warn of key ends"] = {
        "task": "userapi.warn_of_key_ends",
        "schedule": api_key_warnings.INTERVAL,
        "options": {"expires": EXPIRY},
    }

if web.extensions[notices.KINDS]:
    celery.conf.beat_schedule["deliver notices"] = {
        "task": "userapi.deliver_notices",
        "schedule": NOTICE_INTERVAL,
        "options": {"expires": EXPIRY},
    }

if web.config["WEBHOOKS"]:
    celery.conf.beat_schedule["deliver webhooks"] = {
        "task": "userapi.deliver_webhooks",
        "schedule": WEBHOOK_INTERVAL,
        "options": {"expires": EXPIRY},
    }


class _SkipsInvalid:
    """Drops invalid messages from Redis, for which kombu would end the worker."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            log.exception("dropped an invalid task", extra={"error": repr(error)})
            raise Empty from error


class Channel(_SkipsInvalid, redis_transport.Channel):
    """A channel to Redis."""


class SentinelChannel(_SkipsInvalid, redis_transport.SentinelChannel):
    """A channel to a Redis that Sentinels watch."""


redis_transport.Transport.Channel = Channel
redis_transport.SentinelTransport.Channel = SentinelChannel


@contextmanager
def _as_system() -> Iterator[None]:
    """The context of the application, on behalf of the system."""
    with web.app_context(), use_acting_context(ActingContext(Origin.SYSTEM)):
        yield


@celery.task(name="userapi.deliver_mail")
def deliver_mail() -> None:
    """Deliver the emails that are due."""
    end = time.monotonic() + MAX_ROUND
    with _as_system():
        delivery.deliver_due(BATCH, stop=lambda: time.monotonic() > end)


@celery.task(name="userapi.deliver_notices")
def deliver_notices() -> None:
    """Deliver the notices that are due."""
    end = time.monotonic() + MAX_ROUND
    with _as_system():
        notices.deliver_due(stop=lambda: time.monotonic() > end)


@celery.task(name="userapi.deliver_webhooks")
def deliver_webhooks() -> None:
    """Send the events that are due to webhooks."""
    end = time.monotonic() + MAX_ROUND
    with web.app_context():
        webhook_delivery.deliver_due(stop=lambda: time.monotonic() > end)


@celery.task(name="userapi.import_users", time_limit=IMPORT_TIME_LIMIT)
def import_users() -> None:
    """Run the oldest import that staff started."""
    with _as_system():
        job_worker.run_next_job()


@celery.task(name="userapi.act_on_users")
def act_on_users() -> None:
    """Run the oldest bulk action that staff started, or a part of it: the next task continues."""
    end = time.monotonic() + MAX_ROUND
    with _as_system():
        bulk.run_next_job(stop=lambda: time.monotonic() > end)


@celery.task(name="userapi.prune")
def prune() -> None:
    """Delete what ended long ago: sessions, links, emails, events, notices and deliveries; and closed accounts."""
    end = time.monotonic() + MAX_ROUND
    with _as_system():
        pruning.prune(clock.now() - RETENTION)
        invitation_deletion.prune(clock.now() - RETENTION)
        openid_pruning.prune(clock.now() - RETENTION)
        mail_pruning.prune(clock.now() - timedelta(days=web.config["MAIL_KEEP_DAYS"]))
        audit_pruning.prune_old()
        if web.extensions[notices.KINDS]:
            notices.prune_old()
        webhook_pruning.prune_old()
        audit_pruning.remove_addresses()
        removal.delete_due(stop=lambda: time.monotonic() > end)
        retention.run(stop=lambda: time.monotonic() > end)


@celery.task(name="userapi.warn_of_key_ends")
def warn_of_key_ends() -> None:
    """Email the owners of API keys that expire soon."""
    end = time.monotonic() + MAX_ROUND
    with _as_system():
        api_key_warnings.warn_of_ends(stop=lambda: time.monotonic() > end)


@signals.setup_logging.connect
def log_as_the_service_does(**_settings: Any) -> None:
    """Log what Celery reports in our format, without a line for each task of the schedule."""
    for name, level in (("celery", logging.WARNING), ("celery.apps.worker", logging.INFO), ("kombu", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers[:] = logging.getLogger("userapi").handlers
        logger.setLevel(level)
        logger.propagate = False
