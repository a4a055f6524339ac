"""A hook of MkDocs: docstrings name things as Sphinx does, :func:`name`, which here is `name`."""

import re

ROLE = re.compile(r':(?:attr|class|data|func|meth|mod):(?=<code>)')


def on_page_content(html: str, **kwargs) -> str:
    return ROLE.sub('', html)
