"""Ask for a stronger or newer proof of identity (RFC 9470): python step_up.py LEVEL SECONDS < claims of a token."""

import json
import sys
import time


def challenge(claims: dict[str, object], level: str, seconds: int) -> str | None:
    """Return the WWW-Authenticate header of a 401 response; None if the proof is strong and new enough."""
    if str(claims["acr"]) >= level and time.time() - int(str(claims["auth_time"])) <= seconds:
        return None
    return f'Bearer error="insufficient_user_authentication", acr_values="{level}", max_age={seconds}'


print(challenge(json.load(sys.stdin), sys.argv[1], int(sys.argv[2])) or "enough")
