"""Link every documented class and function in code style, such as ``VAESourceModel()``, to its page."""

import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.transforms.post_transforms import SphinxPostTransform

_NAME = re.compile(r"(?:\w+\.)*(\w+)(?:\(.*\))?", re.DOTALL)


class LinkNames(SphinxPostTransform):
    """Put a reference around literals that are names of the library, unless they are links already."""

    default_priority = 5  # before references are resolved

    def run(self):
        """Visit the literals of one document."""
        documented = self.env.domains.python_domain.objects
        names = {
            full.rpartition(".")[2]: full
            for full, entry in documented.items()
            if entry.objtype in ("class", "function")
        }
        for literal in list(self.document.findall(nodes.literal)):
            match = _NAME.fullmatch(literal.astext())
            if match is None or match[1] not in names or _is_link(literal):
                continue
            target = names[match[1]]
            link = pending_xref(
                "", refdomain="py", reftype="obj", reftarget=target, refexplicit=True, refdoc=self.env.docname
            )
            literal.replace_self(link)
            link += literal


def _is_link(node):
    """Tell whether a node is part of a link or of a heading."""
    while node is not None:
        if isinstance(node, pending_xref | nodes.reference | nodes.title):
            return True
        node = node.parent
    return False


def setup(app):
    """Add the transform."""
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "version": "1"}
