"""What the names in a Python file mean: scopes, imports and bindings, gathered in one walk of its syntax tree.

The walk keeps its own stack, so that a deeply nested file cannot exhaust Python's.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that an import binds: its dotted origin; `.` at the front for the project's own modules."""

    dotted: str
    line: int


@dataclass(frozen=True, slots=True)
class Annotated:
    """A name of which only the type is written down."""

    annotation: ast.expr


Meaning: TypeAlias = Imported | Annotated | ast.expr | FunctionNode | ast.ClassDef


@dataclass(slots=True, eq=False)
class Scope:
    """The names of a module, class or function. For a class, `names` are its attributes, `self.x` included."""

    node: ast.AST
    parent: "Scope | None" = None
    names: dict[str, list[Meaning]] = field(default_factory=dict)
    returns: list[ast.expr] = field(default_factory=list)

    @property
    def is_class(self) -> bool:
        """Whether this is the body of a class."""
        return isinstance(self.node, ast.ClassDef)

    @property
    def label(self) -> str:
        """The name of the function or class; `""` for the module and a lambda."""
        return str(getattr(self.node, "name", ""))

    def find(self, name: str) -> tuple[list[Meaning], "Scope"] | None:
        """What `name` means here and the scope that says so; classes are seen only from inside their own body."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names and (scope is self or not scope.is_class):
                return scope.names[name], scope
            scope = scope.parent
        return None

    def enclosing_class(self) -> "Scope | None":
        """The class whose `self` a function here would use."""
        scope: Scope | None = self
        while scope is not None and not scope.is_class:
            scope = scope.parent
        return scope

    def bind(self, name: str, meaning: Meaning) -> None:
        """Add one more meaning of `name`."""
        self.names.setdefault(name, []).append(meaning)


@dataclass(frozen=True, slots=True)
class Use:
    """A node worth a look, where it stands, and the name that its value is given (`""` for none)."""

    node: ast.Call | ast.Subscript | ast.Dict | FunctionNode | ast.ClassDef | ast.Constant
    scope: Scope
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A value with the name that it is given: a variable or field (`assigned`), an argument or a key."""

    name: str
    value: ast.expr
    scope: Scope
    assigned: bool = False


@dataclass(slots=True)
class Module:
    """A file's scopes, and what is to be looked at, in the order of the text."""

    top: Scope
    scopes: dict[int, Scope] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)
    imports: list[Imported] = field(default_factory=list)

    def inner(self, node: ast.AST) -> Scope | None:
        """The scope that this function or class opens."""
        return self.scopes.get(id(node))


# Nodes with nothing in them that is looked at: half of a tree.
LEAVES = frozenset({
    ast.Name, ast.Load, ast.Store, ast.Del, ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal,
    *ast.operator.__subclasses__(), *ast.unaryop.__subclasses__(), *ast.cmpop.__subclasses__(),
    *ast.boolop.__subclasses__(),
})  # fmt: skip
_Todo: TypeAlias = tuple[ast.AST, Scope, str]


def survey(tree: ast.Module) -> Module:
    """Walk the whole tree once."""
    module = Module(Scope(tree))
    stack: list[_Todo] = [(tree, module.top, "")]
    while stack:
        node, scope, owner = stack.pop()
        children = [todo for todo in _visit(node, scope, owner, module) if type(todo[0]) not in LEAVES]
        stack.extend(reversed(children))
    return module


def _visit(node: ast.AST, scope: Scope, owner: str, module: Module) -> Iterable[_Todo]:
    """Note what this node binds and uses; give its children with their scope and owner."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return _function(node, scope, module)
        case ast.ClassDef():
            return _class(node, scope, module)
        case ast.Lambda():
            return _lambda(node, scope, module)
        case ast.Assign() | ast.AnnAssign() | ast.NamedExpr():
            return _assign(node, scope, module)
        case ast.Call() | ast.Dict() | ast.Subscript() | ast.Constant():
            module.uses.append(Use(node, scope, owner))
            _name_parts(node, scope, module)
        case ast.withitem():
            if isinstance(node.optional_vars, ast.Name):
                scope.bind(node.optional_vars.id, node.context_expr)
            return ((node.context_expr, scope, _name_of(node.optional_vars)),)
        case ast.Expr(value=ast.Constant()):
            return ()  # a docstring says what others do
        case ast.Await() | ast.Expr():
            return ((node.value, scope, owner),)
        case _:
            _note(node, scope, module)
    return _children(node, scope)


def _children(node: ast.AST, scope: Scope) -> Iterator[_Todo]:
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            for part in value:
                if isinstance(part, ast.AST):
                    yield part, scope, ""
        elif isinstance(value, ast.AST):
            yield value, scope, ""


def _note(node: ast.AST, scope: Scope, module: Module) -> None:
    """Note what a statement binds whose parts are walked as they are."""
    match node:
        case ast.Import() | ast.ImportFrom():
            _import(node, scope, module)
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            _shadow(node.target, scope)
        case ast.Return(value=ast.expr() as value):
            scope.returns.append(value)


def _name_parts(node: ast.expr, scope: Scope, module: Module) -> None:
    """Note the values that arguments and keys give a name to."""
    match node:
        case ast.Call():
            module.named.extend(Named(k.arg, k.value, scope) for k in node.keywords if k.arg)
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    module.named.append(Named(key.value, value, scope))


def _class(node: ast.ClassDef, scope: Scope, module: Module) -> Iterator[_Todo]:
    scope.bind(node.name, node)
    inner = module.scopes[id(node)] = Scope(node, scope)
    module.uses.append(Use(node, scope))
    yield from ((child, scope, "") for child in (*node.decorator_list, *node.bases, *node.keywords))
    yield from ((child, inner, "") for child in node.body)


def _lambda(node: ast.Lambda, scope: Scope, module: Module) -> Iterator[_Todo]:
    inner = Scope(node, scope)
    _parameters(node.args, inner, module, scope)
    yield from ((child, scope, "") for child in (*node.args.defaults, *filter(None, node.args.kw_defaults)))
    yield node.body, inner, ""


def _import(node: ast.Import | ast.ImportFrom, scope: Scope, module: Module) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            found = Imported(alias.name, node.lineno)
            module.imports.append(found)
            if alias.asname:
                scope.bind(alias.asname, found)
            else:
                top = alias.name.partition(".")[0]
                scope.bind(top, Imported(top, node.lineno))
        return
    origin = "." * node.level + (node.module or "")
    for alias in node.names:
        dotted = f"{origin}.{alias.name}" if node.module else f"{origin}{alias.name}"
        module.imports.append(Imported(dotted, node.lineno))
        scope.bind(alias.asname or alias.name, Imported(dotted, node.lineno))


def _function(node: FunctionNode, scope: Scope, module: Module) -> Iterator[_Todo]:
    scope.bind(node.name, node)
    inner = module.scopes[id(node)] = Scope(node, scope)
    module.uses.append(Use(node, scope))
    _parameters(node.args, inner, module, scope)
    outer = (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults))
    yield from ((child, scope, "") for child in outer)
    yield from ((child, inner, "") for child in node.body)


def _parameters(args: ast.arguments, inner: Scope, module: Module, outer: Scope) -> None:
    positional = (*args.posonlyargs, *args.args)
    first = len(positional) - len(args.defaults)
    defaults = [None] * first + list(args.defaults)
    pairs = [*zip(positional, defaults, strict=True), *zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    for parameter, default in pairs:
        meanings = inner.names.setdefault(parameter.arg, [])
        if default is not None and not (isinstance(default, ast.Constant) and default.value is None):
            meanings.append(default)
            module.named.append(Named(parameter.arg, default, outer))
        if parameter.annotation is not None:
            meanings.append(Annotated(parameter.annotation))
    for rest in (args.vararg, args.kwarg):
        if rest is not None:
            inner.names.setdefault(rest.arg, [])


def _assign(node: ast.Assign | ast.AnnAssign | ast.NamedExpr, scope: Scope, module: Module) -> Iterator[_Todo]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if node.value is not None:
            _bind(target, node.value, scope, module)
        if isinstance(node, ast.AnnAssign):
            _bind(target, Annotated(node.annotation), scope, module)
        if not isinstance(target, ast.Name):
            yield target, scope, ""
    if node.value is not None:
        yield node.value, scope, _name_of(targets[0])


def _bind(target: ast.expr, value: ast.expr | Annotated, scope: Scope, module: Module) -> None:
    match target:
        case ast.Name():
            scope.bind(target.id, value)
        case ast.Attribute(value=ast.Name(id="self" | "cls")):
            owner = scope.enclosing_class()
            if owner is not None:
                owner.bind(target.attr, value)
        case ast.Tuple() | ast.List():
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                for part, its_value in zip(target.elts, value.elts, strict=True):
                    _bind(part, its_value, scope, module)
            else:
                _shadow(target, scope)
            return
        case _:
            return
    if isinstance(value, ast.expr):
        module.named.append(Named(_name_of(target), value, scope, assigned=True))


def _shadow(target: ast.expr, scope: Scope) -> None:
    """A name that is given a value nobody can know: it hides what an outer scope calls so."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            scope.names.setdefault(node.id, [])


def _name_of(target: ast.expr | None) -> str:
    match target:
        case ast.Name():
            return target.id
        case ast.Attribute():
            return target.attr
        case _:
            return ""
