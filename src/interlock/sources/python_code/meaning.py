"""What an expression comes to, without running it: a dotted name, constant texts, environment variables, literals.

Names are followed through assignments, imports, `self`, simple configuration classes, local functions and
environment defaults. What cannot be followed gives nothing; nothing is guessed.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from interlock.sources.python_code.scopes import Annotated, FunctionNode, Imported, Meaning, Module, Scope

MAX_DEPTH = 12  # names followed after each other; configuration is rarely more than four deep
MAX_VALUES = 8  # values of one expression; more is a table, not a setting
GETENV = frozenset({"os.getenv", "os.environ.get", "os.environ.setdefault", "environ.get", "decouple.config"})
ENVIRON = frozenset({"os.environ", "os.environb"})
# Functions that hand their first argument on, with something around it.
WRAPPERS = frozenset({
    "instructor.apatch", "instructor.from_anthropic", "instructor.from_openai", "instructor.patch",
    "langsmith.wrappers.wrap_anthropic", "langsmith.wrappers.wrap_openai", "braintrust.wrap_openai",
})  # fmt: skip
TEXT_WRAPPERS = frozenset({"dedent", "SecretStr", "str", "cleandoc", "Field", "field", "cast", "text"})
TEXT_METHODS = frozenset({"strip", "format", "lstrip", "rstrip", "lower", "join", "get_secret_value", "replace"})
AWS_CLIENTS = frozenset({
    "boto3.client", "boto3.Session().client", "boto3.session.Session().client", "aioboto3.Session().client",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """A constant text, or the name of an environment variable, and the line where it is written."""

    text: str
    line: int
    is_env: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """An expression in its scope."""

    node: ast.AST
    scope: Scope


@dataclass(frozen=True, slots=True)
class Reader:
    """Answers for one file. Each question about a node is answered once and kept, so that the work is linear."""

    module: Module
    _dotted: dict[tuple[int, int], str | None] = field(default_factory=dict)
    _followed: dict[tuple[int, int], tuple[Place, ...]] = field(default_factory=dict)
    _known: dict[tuple[int, int], list[Value]] = field(default_factory=dict)

    def dotted(self, node: ast.AST, scope: Scope, depth: int = 0) -> str | None:
        """Where it comes from: `openai.OpenAI`; `()` stands for what a call gives: `openai.OpenAI().chat`.

        None for what is local, or not known.
        """
        key = id(node), id(scope)
        if key not in self._dotted:
            self._dotted[key] = None  # what leads back to itself has no answer
            self._dotted[key] = self._find_dotted(node, scope, depth) if depth <= MAX_DEPTH else None
        return self._dotted[key]

    def follow(self, node: ast.AST, scope: Scope, depth: int = 0) -> tuple[Place, ...]:
        """The expressions, functions or classes that `node` stands for; itself if it is no name."""
        key = id(node), id(scope)
        if key not in self._followed:
            self._followed[key] = ()
            found = self._find_places(node, scope, depth) if depth <= MAX_DEPTH else ()
            self._followed[key] = tuple(islice(found, MAX_VALUES))
        return self._followed[key]

    def _find_dotted(self, node: ast.AST, scope: Scope, depth: int) -> str | None:
        match node:
            case ast.Name():
                return self._name(node.id, scope, depth)
            case ast.Attribute():
                return self._attribute(node, scope, depth)
            case ast.Call():
                return self._call(node, scope, depth)
            case ast.Await():
                return self.dotted(node.value, scope, depth + 1)
            case ast.IfExp():
                return self.dotted(node.body, scope, depth + 1) or self.dotted(node.orelse, scope, depth + 1)
            case ast.BoolOp():
                return next((d for v in node.values if (d := self.dotted(v, scope, depth + 1))), None)
            case _:
                return None

    def _find_places(self, node: ast.AST, scope: Scope, depth: int) -> Iterator[Place]:
        match node:
            case ast.Name():
                if found := scope.find(node.id):
                    yield from self._meanings(*found, depth)
            case ast.Attribute():
                given = tuple(self._field(node, scope, depth))
                owner = None if given else self._class_of(node.value, scope, depth)
                yield from given
                if owner and node.attr in owner.names:
                    yield from self._meanings(owner.names[node.attr], owner, depth)
                elif node.attr == "value":
                    yield from self.follow(node.value, scope, depth + 1)
            case ast.IfExp():
                yield from self.follow(node.body, scope, depth + 1)
                yield from self.follow(node.orelse, scope, depth + 1)
            case ast.BoolOp():
                for value in node.values:
                    yield from self.follow(value, scope, depth + 1)
            case ast.NamedExpr() | ast.Await():
                yield from self.follow(node.value, scope, depth + 1)
            case ast.Subscript():
                yield from self._item(node, scope, depth)
            case _:
                yield Place(node, scope)

    def values(self, node: ast.AST | None, scope: Scope, depth: int = 0) -> list[Value]:
        """The constant texts and environment variables that it may be, in order, each once."""
        if node is None:
            return []
        key = id(node), id(scope)
        if key not in self._known:
            self._known[key] = []
            places = self.follow(node, scope, depth) if depth <= MAX_DEPTH else ()
            found = dict.fromkeys(value for place in places for value in self._values(place, depth))
            self._known[key] = list(islice(found, MAX_VALUES))
        return self._known[key]

    def texts(self, node: ast.AST | None, scope: Scope) -> list[Value]:
        """Only the constant texts of `values`."""
        return [value for value in self.values(node, scope) if not value.is_env]

    def env_read(self, node: ast.AST, scope: Scope) -> ast.expr | None:
        """The expression of the variable's name, if this is a read of the environment."""
        match node:
            case ast.Call(args=[name, *_]) if self.dotted(node.func, scope) in GETENV:
                return name
            case ast.Subscript() if self.dotted(node.value, scope) in ENVIRON:
                return node.slice
            case _:
                return None

    def _name(self, name: str, scope: Scope, depth: int) -> str | None:
        found = scope.find(name)
        if found is None:
            return None
        meanings, where = found
        return next((d for m in meanings if (d := self._origin(m, where, depth))), None)

    def _origin(self, meaning: Meaning, scope: Scope, depth: int) -> str | None:
        match meaning:
            case Imported():
                return meaning.dotted
            case Annotated():
                origin = self._annotation(meaning.annotation, scope, depth)
                return f"{origin}()" if origin else None
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return None
            case _:
                return self.dotted(meaning, scope, depth + 1)

    def _annotation(self, node: ast.expr, scope: Scope, depth: int) -> str | None:
        match node:
            case ast.Name() | ast.Attribute():
                return self.dotted(node, scope, depth + 1)
            case ast.BinOp():
                return self._annotation(node.left, scope, depth) or self._annotation(node.right, scope, depth)
            case ast.Subscript(value=ast.Name(id="Optional" | "Annotated" | "Final" | "ClassVar")):
                inner = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
                return self._annotation(inner, scope, depth)
            case _:
                return None

    def _attribute(self, node: ast.Attribute, scope: Scope, depth: int) -> str | None:
        if owner := self._class_of(node.value, scope, depth):
            origins = (self._origin(m, owner, depth) for m in owner.names.get(node.attr, ()))
            return next(filter(None, origins), None)
        base = self.dotted(node.value, scope, depth + 1)
        return f"{base}.{node.attr}" if base else None

    def _call(self, node: ast.Call, scope: Scope, depth: int) -> str | None:
        origin = self.dotted(node.func, scope, depth + 1)
        if origin is None:
            local = self._local_function(node.func, scope)
            if local is None:
                return None
            inner = self.module.inner(local)
            returns = inner.returns if inner else []
            given = next((d for r in returns if inner and (d := self.dotted(r, inner, depth + 2))), None)
            if given is None and local.returns is not None and (a := self._annotation(local.returns, scope, depth)):
                return f"{a}()"
            return given
        if origin in WRAPPERS and node.args:
            return self.dotted(node.args[0], scope, depth + 1)
        if origin in AWS_CLIENTS:
            name = node.args[0] if node.args else keyword(node, "service_name")
            services = self.texts(name, scope)
            return f"{services[0].text}()" if services else None
        return f"{origin}()"

    def _local_function(self, node: ast.expr, scope: Scope) -> FunctionNode | None:
        for place in self.follow(node, scope):
            if isinstance(place.node, ast.FunctionDef | ast.AsyncFunctionDef):
                return place.node
        return None

    def _class_of(self, node: ast.expr, scope: Scope, depth: int) -> Scope | None:
        """The local class that `self`, a class's name, an instance of it or a name for one stands for."""
        if isinstance(node, ast.Name) and node.id in {"self", "cls"}:
            return scope.enclosing_class()
        if depth > MAX_DEPTH or not isinstance(node, ast.Name | ast.Call):
            return None
        name = node.func if isinstance(node, ast.Call) else node
        for place in self.follow(name, scope, depth + 1):
            if isinstance(place.node, ast.ClassDef):
                return self.module.inner(place.node)
            if isinstance(place.node, ast.Call) and place.node is not node:
                return self._class_of(place.node, place.scope, depth + 1)
        return None

    def _meanings(self, meanings: list[Meaning], scope: Scope, depth: int) -> Iterator[Place]:
        for meaning in meanings[:MAX_VALUES]:
            if isinstance(meaning, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield Place(meaning, scope)
            elif isinstance(meaning, ast.expr):
                yield from self.follow(meaning, scope, depth + 1)

    def _field(self, node: ast.Attribute, scope: Scope, depth: int) -> Iterator[Place]:
        """`X.id` where `X = Info(id="...")`."""
        for place in self.follow(node.value, scope, depth + 1):
            if isinstance(place.node, ast.Call) and (value := keyword(place.node, node.attr)):
                yield from self.follow(value, place.scope, depth + 1)

    def _item(self, node: ast.Subscript, scope: Scope, depth: int) -> Iterator[Place]:
        """`X["key"]` where `X` is a literal dictionary; else the subscript itself."""
        if isinstance(node.slice, ast.Constant):
            for place in self.follow(node.value, scope, depth + 1):
                if isinstance(place.node, ast.Dict) and (value := entry(place.node, str(node.slice.value))):
                    yield from self.follow(value, place.scope, depth + 1)
                    return
        yield Place(node, scope)

    def _values(self, place: Place, depth: int) -> Iterator[Value]:
        node, scope = place.node, place.scope
        match node:
            case ast.Constant(value=str() as text):
                yield Value(text, node.lineno)
            case ast.JoinedStr() | ast.BinOp(op=ast.Add()):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node.left, node.right]
                joined = [self.values(p, scope, depth + 1) for p in parts]
                if all(len(p) == 1 and not p[0].is_env for p in joined):
                    yield Value("".join(p[0].text for p in joined), node.lineno)
            case ast.FormattedValue():
                yield from self.values(node.value, scope, depth + 1)
            case ast.Subscript() | ast.Call():
                yield from self._read(node, scope, depth)
            case _:
                return

    def _read(self, node: ast.Subscript | ast.Call, scope: Scope, depth: int) -> Iterator[Value]:
        if (name := self.env_read(node, scope)) is not None:
            for value in self.texts(name, scope):
                yield Value(value.text, node.lineno, is_env=True)
            if isinstance(node, ast.Call):
                default = node.args[1] if len(node.args) > 1 else keyword(node, "default")
                yield from self.values(default, scope, depth + 1)
        elif isinstance(node, ast.Call):
            func = node.func
            name_of = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            if name_of in TEXT_WRAPPERS:
                yield from self.values(
                    keyword(node, "default") or (node.args[0] if node.args else None), scope, depth + 1
                )
            elif name_of in TEXT_METHODS and isinstance(func, ast.Attribute):
                yield from self.values(func.value, scope, depth + 1)


def keyword(node: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((k.value for k in node.keywords if k.arg == name), None)


def entry(node: ast.Dict, name: str) -> ast.expr | None:
    """The value of a literal dictionary's key."""
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == name:
            return value
    return None
