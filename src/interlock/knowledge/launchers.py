"""What a command that starts an MCP server really runs: which package, and whether its version is fixed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Options of a launcher that take a value of their own; from each tool's --help.
TAKES_VALUE = {
    "npx": {"-c", "--call", "-w", "--workspace", "--registry", "--cache", "--userconfig"},
    "bunx": {"--bun"},
    "uvx": {
        "--with", "--python", "-p", "--index-url", "-i", "--extra-index-url", "--index", "--directory",
        "--refresh-package",
    },
    "pipx": {"--python", "--index-url", "-i", "--pip-args"},
    "docker": {
        "-e", "--env", "--env-file", "-v", "--volume", "--mount", "--name", "--network", "--net", "-p", "--publish",
        "-w", "--workdir", "-u", "--user", "--platform", "--entrypoint", "--add-host", "-l", "--label", "--memory",
        "-m", "--cpus", "--pull", "--runtime", "--gpus", "--hostname", "-h",
    },
}  # fmt: skip
NAMES_PACKAGE = {"-p", "--package", "--from", "--spec"}
EXACT_NPM = re.compile(r"\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$")
EXACT_PYPI = re.compile(r"\d+(?:\.\d+)+[\w.+!-]*$")
COMMIT = re.compile(r"[0-9a-f]{40}$")


@dataclass(frozen=True, slots=True)
class Launch:
    """A package that a launcher fetches and runs. `pinned`: it will be the same code tomorrow."""

    package: str
    pinned: bool


def launched(command: str, args: Sequence[str]) -> Launch | None:
    """The package that `command args` fetches and runs; None if it starts what is there already, or is not known.

    >>> launched("npx", ["-y", "@modelcontextprotocol/server-github"])
    Launch(package='npm:@modelcontextprotocol/server-github', pinned=False)
    >>> launched("uvx", ["mcp-server-git==2025.1.14"])
    Launch(package='pypi:mcp-server-git', pinned=True)
    >>> launched("python", ["-m", "my_server"])
    """
    tool = re.split(r"[\\/]", command.strip())[-1].lower().removesuffix(".cmd").removesuffix(".exe")
    if tool == "cmd" and len(args) > 1 and args[0].lower() == "/c":
        return launched(args[1], args[2:])
    words = list(args)
    match tool, words:
        case "npm", ["exec" | "x", *rest]:
            return _npm(_target(rest, "npx"))
        case (("pnpm" | "yarn"), ["dlx", *rest]):
            return _npm(_target(rest, "npx"))
        case (("npx" | "bunx"), _):
            return _npm(_target(words, tool))
        case "uv", ["tool", "run", *rest]:
            return _pypi(_target(rest, "uvx"))
        case "uv", ["x", *rest]:
            return _pypi(_target(rest, "uvx"))
        case "uvx", _:
            return _pypi(_target(words, "uvx"))
        case "pipx", ["run", *rest]:
            return _pypi(_target(rest, "pipx"))
        case (("docker" | "podman" | "nerdctl"), ["run", *rest]):
            return _image(_target(rest, "docker"))
        case _:
            return None


def _target(words: Sequence[str], tool: str) -> str | None:
    """The first word that is neither an option nor an option's value; `--package X` and `--from X` name it first."""
    takes = TAKES_VALUE[tool]
    index = 0
    while index < len(words):
        word = words[index]
        name, equals, value = word.partition("=")
        if tool != "docker" and name in NAMES_PACKAGE and not (tool == "uvx" and name == "-p"):
            return value if equals else (words[index + 1] if index + 1 < len(words) else None)
        if not word.startswith("-"):
            return word
        index += 2 if word in takes else 1
    return None


def _npm(spec: str | None) -> Launch | None:
    if not spec or spec.startswith((".", "/", "~")):
        return None
    if re.match(r"(?:git\+|https?:|github:)", spec):
        source, _, commit = spec.partition("#")
        return Launch(f"npm:{source}", bool(COMMIT.search(commit)))
    name, _, version = spec[1:].partition("@")
    return Launch(f"npm:{spec[0]}{name}", bool(EXACT_NPM.match(version)))


def _pypi(spec: str | None) -> Launch | None:
    if not spec or spec.startswith((".", "/", "~")):
        return None
    if re.match(r"(?:[\w.-]+\s*@\s*)?(?:git\+|https?:)", spec):
        source, _, commit = spec.rpartition("@")
        pinned = bool(source and COMMIT.match(commit))
        return Launch(f"pypi:{source if pinned else spec}", pinned)
    match = re.match(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(?:(?:===?|@)\s*(.*))?", spec)
    return Launch(f"pypi:{match[1]}", bool(EXACT_PYPI.match(match[2] or ""))) if match else None


def _image(image: str | None) -> Launch | None:
    if not image:
        return None
    name, _, digest = image.partition("@")
    last = name.rpartition("/")[2]
    bare = name.removesuffix(":" + last.partition(":")[2]) if ":" in last else name
    return Launch(f"image:{bare}", digest.startswith("sha256:"))
