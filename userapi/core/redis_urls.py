"""URLs of a Redis that Sentinels watch: `redis+sentinel://user:password@host1:26379,host2:26379/name/0`."""

from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from marshmallow import ValidationError

SENTINEL = "redis+sentinel://"

#: What Sentinels listen on unless the URL says otherwise.
SENTINEL_PORT = 26379


class SentinelUrl(NamedTuple):
    """What such a URL says.

    Attributes:
        sentinels: host and port of each Sentinel.
        service: the name that Sentinels know the primary by.
        database: the number of the database.
        credentials: `username` and `password`, as far as they are set, of Sentinels and of Redis.
    """

    sentinels: tuple[tuple[str, int], ...]
    service: str
    database: int
    credentials: dict[str, str]

    @property
    def for_limits(self) -> str:
        """The same for the library `limits`, which knows no database."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.sentinels)
        return f"{SENTINEL}{self._user_info}{hosts}/{self.service}"

    @property
    def for_celery(self) -> str:
        """The same for Celery, which gets the name elsewhere."""
        urls = (f"sentinel://{self._user_info}{host}:{port}/{self.database}" for host, port in self.sentinels)
        return ";".join(urls)

    @property
    def _user_info(self) -> str:
        if not self.credentials:
            return ""
        name, password = (quote(self.credentials.get(each, ""), safe="") for each in ("username", "password"))
        return f"{name}:{password}@"


def parse_sentinel_url(url: str) -> SentinelUrl | None:
    """What a URL with Sentinels says; None for another one.

    Raises:
        ValidationError: a part is missing or malformed.
    """
    if not url.startswith(SENTINEL):
        return None
    parts = urlsplit(url)
    user_info, _at, hosts = parts.netloc.rpartition("@")
    service, _slash, database = parts.path.strip("/").partition("/")
    pairs = [host.partition(":") for host in hosts.split(",")]
    ports = [port or str(SENTINEL_PORT) for _host, _colon, port in pairs]
    is_valid = all(host for host, _colon, _port in pairs) and all(map(str.isdecimal, (*ports, database or "0")))
    if not service or not is_valid or parts.query:
        raise ValidationError(
            "Must list Sentinels and the name of the primary: redis+sentinel://s1:26379,s2:26379/name/0."
        )
    name, _colon, password = user_info.partition(":")
    credentials = {"username": unquote(name), "password": unquote(password)}
    return SentinelUrl(
        tuple((host, int(port)) for (host, _colon, _port), port in zip(pairs, ports, strict=True)),
        service,
        int(database or 0),
        {key: value for key, value in credentials.items() if value},
    )
