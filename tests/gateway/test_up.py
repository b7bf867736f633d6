"""What runs beside the traffic: the keys are read again, and what happens when they cannot be."""

import asyncio

from interlock.identity.keys import Keyring
from interlock.model.errors import IdentityError, StoreError
from interlock.store import Key
from interlock.up import _reload_keys
from tests.gateway.wire import key, run, until


def knows(keyring: Keyring, text: str) -> bool:
    try:
        keyring.prove(text, 1)
    except IdentityError:
        return False
    return True


class Keys:
    """The part of a store that is read; it can be away. `reads` counts what was asked of it."""

    def __init__(self, *keys: Key) -> None:
        self.kept = keys
        self.changed = 0
        self.away = False
        self.reads = 0

    def version(self) -> int:
        self.reads += 1
        if self.away:
            raise StoreError("cannot read the database: it is away")
        return self.changed

    def keys(self) -> tuple[Key, ...]:
        return self.kept


def test_keys_are_read_again_when_they_change_and_refused_when_nobody_can_say() -> None:
    async def work() -> None:
        said: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: said.append(context["message"]))
        kept, text = key()
        store, keyring = Keys(), Keyring()

        def known() -> bool:
            return knows(keyring, text)

        reloading = loop.create_task(_reload_keys(store, keyring, every_s=0, blind_s=0))  # type: ignore[arg-type]
        await until(lambda: store.reads > 1)
        assert not known()
        store.kept, store.changed = (kept,), 1
        await until(known)
        assert keyring.prove(text, 1).workload == "w"

        store.away = True
        await until(lambda: not known())
        assert len(said) == 2
        assert "trying again" in said[0]
        assert "all of them are refused" in said[1]
        before = store.reads
        await until(lambda: store.reads > before + 2)
        assert len(said) == 2

        store.away = False
        await until(known)
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)

    run(work)


def test_a_short_absence_of_the_database_changes_nothing() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, __: None)
        kept, text = key()
        store, keyring = Keys(kept), Keyring([kept])
        reloading = loop.create_task(_reload_keys(store, keyring, every_s=0, blind_s=1e9))  # type: ignore[arg-type]
        await until(lambda: store.reads > 1)
        store.away = True
        before = store.reads
        await until(lambda: store.reads > before + 3)
        assert knows(keyring, text)
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)

    run(work)
