"""What the small services have in common: settings from the environment, as each of them would read its own."""

import os

from userapi_client import EndedSessions, Receiver, SqliteStore, Verifier

ended = EndedSessions(store=SqliteStore(os.environ["STORE"]))
verifier = Verifier(os.environ["ISSUER"], ended=ended)
receiver = Receiver(os.environ["WEBHOOK_SECRET"].split())
