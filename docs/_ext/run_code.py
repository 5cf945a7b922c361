"""The directive ``run``: Python code that is shown and run, with what its last line shows in a notebook.

All ``run`` blocks of a page share their variables. An error in one of them ends the build.
"""

import ast
import contextlib
import io
import os
import tempfile

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


def run(code, variables):
    """Run code, and return what it prints and the value of its last line if that is an expression."""
    lines = ast.parse(code)
    last = lines.body.pop() if isinstance(lines.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(lines, "<page>", "exec"), variables)
        value = eval(compile(ast.Expression(last.value), "<page>", "eval"), variables) if last else None
    return printed.getvalue(), value


class Run(SphinxDirective):
    """Show code, run it in a folder that is thrown away, and show its result below."""

    has_content = True

    def run(self):
        """Return the nodes of the code and of its result."""
        code = "\n".join(self.content)
        variables = self.env.temp_data.setdefault("run variables", {"__name__": "__page__"})
        with tempfile.TemporaryDirectory() as folder:
            before = os.getcwd()
            os.chdir(folder)
            try:
                printed, value = run(code, variables)
            finally:
                os.chdir(before)
        result = [nodes.literal_block(code, code, language="python")]
        if printed:
            result.append(nodes.literal_block(printed, printed, language="none", classes=["output"]))
        if hasattr(value, "_repr_html_"):
            result.append(nodes.raw("", f'<div class="output">{value._repr_html_()}</div>', format="html"))
        return result


def setup(app):
    """Add the directive."""
    app.add_directive("run", Run)
    return {"parallel_read_safe": True, "version": "1"}
