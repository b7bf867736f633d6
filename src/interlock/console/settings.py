"""What can be set about the console."""

from dataclasses import dataclass

from interlock.model.settings import setting


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """`[console]`: where it listens."""

    host: str = setting("127.0.0.1", "Address to listen on. Loopback unless you put TLS in front of it.")
    port: int = setting(7701, "Port to listen on; 0 takes a free one.")
    hosts: tuple[str, ...] = setting((), "More names under which a browser may reach it, such as that of a TLS proxy.")
    title: str = setting("interlock", "The organisation's name, shown in the side bar.")
