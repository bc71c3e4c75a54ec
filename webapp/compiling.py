"""How templates are compiled: what is known before the first visitor is worked out then, once.

A page is forty files on disk and one function in the process. Everything here keeps the bytes of the page; it is
worth half of the time that a page takes to lay out (`bench/overview.py`).

- An `{% include "file" %}` is replaced by the nodes of that file, in a scope of its own: no context is copied.
- A call of a function of ours that always answers the same, such as `icon("download")`, is replaced by its answer.
- Functions are called, and values escaped, without Jinja's detours: no template function here asks for the context
  (`@pass_context` and its like): the environment of pages refuses one that does.
"""

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, Template, nodes
from jinja2.compiler import CodeGenerator, Frame, optimizeconst
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape
from markupsafe import _escape_inner as _escaped  # type: ignore[attr-defined]  # what `escape` itself calls

MOST_NESTED = 10  # files that include each other in turn


def as_html(value: object) -> str:
    """`markupsafe.escape` for what is about to be joined: markup, most of what a page shows, is left as it is, and the
    text of the rest is not wrapped in a Markup that nobody keeps."""
    if type(value) is Markup:
        return value
    if type(value) is str:
        text: str = _escaped(value)
        return text
    return escape(value)


class ReadyTemplate(Template):
    """A template whose macros are made once. Jinja compares the globals at each import; ours never differ."""

    _module: Any

    def _get_default_module(self, ctx: Context | None = None) -> Any:
        if self._module is None:
            self._module = self.make_module()
        return self._module


class DirectCode(CodeGenerator):
    @optimizeconst
    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        self.write("environment.called(")
        self.visit(node.node, frame)
        self.signature(node, frame, {"caller": "caller"} if forward_caller else None)
        self.write(")")

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if frame.eval_ctx.volatile or not frame.eval_ctx.autoescape:
            return super()._output_child_pre(node, frame, finalize)
        self.write("environment.as_html(")
        return None


class PageEnvironment(Environment):
    """An environment whose pages are whole. With `auto_reload`, files stay apart, so that each is read again."""

    template_class = ReadyTemplate
    code_generator_class = DirectCode
    called: Callable[..., Any] = staticmethod(operator.call)  # type: ignore[arg-type]
    as_html = staticmethod(as_html)
    constants: Mapping[str, Callable[..., object]] = MappingProxyType({})

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        whole = source if self.auto_reload else _Whole(self).visit(source)
        return super()._generate(whole, name, filename, defer_init)

    def refuse_what_asks_for_the_context(self) -> None:
        """Raises ValueError: a function marked for Jinja's context would be called without it."""
        for name, function in self.globals.items():
            if hasattr(function, "jinja_pass_arg"):
                raise ValueError(f"the function {name} asks for the template's context")


class _Whole(NodeTransformer):
    """Puts included files in the place of their `include`, and answers in the place of constant calls."""

    def __init__(self, environment: PageEnvironment, depth: int = 0) -> None:
        self.environment = environment
        self.depth = depth

    def visit_Include(self, node: nodes.Include) -> nodes.Node:  # noqa: N802
        named = node.template
        if (
            not isinstance(named, nodes.Const)
            or not isinstance(named.value, str)
            or node.ignore_missing
            or not node.with_context
            or self.depth == MOST_NESTED
        ):
            return node
        assert self.environment.loader is not None
        source, filename, _is_current = self.environment.loader.get_source(self.environment, named.value)
        included = self.environment._parse(source, named.value, filename)
        if included.find(nodes.Extends) or included.find(nodes.Block):
            return node
        inner = _Whole(self.environment, self.depth + 1)
        body = [inner.visit(each) for each in included.body]
        return nodes.Scope(body, lineno=node.lineno).set_environment(self.environment)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        function = self.environment.constants.get(getattr(node.node, "name", ""))
        is_plain = not (node.kwargs or node.dyn_args or node.dyn_kwargs)
        if function is None or not is_plain or not all(isinstance(each, nodes.Const) for each in node.args):
            return node
        answer = function(*(each.as_const() for each in node.args))
        return nodes.Const(answer, lineno=node.lineno).set_environment(self.environment)
