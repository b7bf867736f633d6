"""A workload's key that lives as long as the program it was made for, and the gateway that knows it."""

import contextlib
import http.client
import secrets
import time
from collections.abc import Iterator

from interlock.app import now_us, open_store
from interlock.config import Settings
from interlock.identity.keys import mint
from interlock.model.errors import ConfigError
from interlock.store import Key

# A gateway reads new keys twice a second (`up.KEYS_S`); one that is busy may take some times as long.
IN_FORCE_S = 10.0
POLL_S = 0.02
# Addresses to listen on that are none to connect to, and what is reached at them from this machine.
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - it names them, it does not listen
START_IT = "start it in another terminal: interlock up"


def gateway(settings: Settings) -> tuple[str, int]:
    """Host and port at which the gateway of these settings is reached. Raises: ConfigError if nobody can know."""
    host, port = settings.gateway.host, settings.gateway.port
    if not port:
        hint = "set [gateway] port, or INTERLOCK_GATEWAY_PORT"
        raise ConfigError("the gateway takes any free port, so nobody knows which", where="[gateway] port", hint=hint)
    return ANY.get(host, host), port


def url(host: str, port: int) -> str:
    """The address as programs write it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def made(settings: Settings, workload: str, lifetime_us: int) -> tuple[Key, str]:
    """A new key for a workload, kept in the store, and its text. Raises: UsageError, StoreError."""
    key, text = mint(workload, now_us(), lifetime_us, secrets.token_bytes)
    _keep(settings, key)
    return key, text


@contextlib.contextmanager
def lent(settings: Settings, workload: str, lifetime_us: int) -> Iterator[str]:
    """A key that the running gateway knows, revoked when the block ends, however it ends.

    Only a kill that no process survives leaves it, until it expires. Raises: ConfigError if there is no gateway, or
    it is one of another data folder.
    """
    where = gateway(settings)
    _answer(where, "")
    key, text = mint(workload, now_us(), lifetime_us, secrets.token_bytes)
    try:
        _keep(settings, key)
        deadline = time.monotonic() + IN_FORCE_S
        while _answer(where, text) == http.client.UNAUTHORIZED:
            if time.monotonic() > deadline:
                hint = f"give both the same --data and --config; here the data is in {settings.data}"
                raise ConfigError("the gateway does not know the keys made here", where=url(*where), hint=hint)
            time.sleep(POLL_S)
        yield text
    finally:
        with contextlib.closing(open_store(settings)) as store:
            store.revoke_key(key.id, now_us())


def _keep(settings: Settings, key: Key) -> None:
    with contextlib.closing(open_store(settings)) as store:
        store.add_key(key)


def _answer(where: tuple[str, int], key: str) -> int:
    """The status by which the gateway says whether it serves, and whether the key is in force."""
    try:
        with contextlib.closing(http.client.HTTPConnection(*where, timeout=IN_FORCE_S)) as connection:
            connection.request("GET", "/healthz", headers={"authorization": f"Bearer {key}"} if key else {})
            answer = connection.getresponse()
            status, said = answer.status, answer.read(1_000)
    except (OSError, http.client.HTTPException) as error:
        raise ConfigError(f"no gateway answers: {error}", where=url(*where), hint=START_IT) from error
    if status == http.client.SERVICE_UNAVAILABLE:
        hint = "see what it says in its terminal, and: interlock audit verify"
        raise ConfigError("the gateway cannot serve now", where=url(*where), hint=hint)
    if status != http.client.UNAUTHORIZED and (status, said) != (http.client.OK, b'{"status":"ok"}'):
        raise ConfigError("what answers there is no interlock gateway", where=url(*where), hint=START_IT)
    return status
