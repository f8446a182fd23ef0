"""What MkDocs does with our pages beyond Markdown; see `mkdocs.yml`.

- ``$...$`` and ``$$...$$`` become MathML: no script and no font is fetched, and GitHub, which reads
  the same signs, shows equations too;
- ``<!-- keys -->`` and ``<!-- commands -->`` become the configuration's keys and the command line's
  options, written down from the types at every build;
- ``::: tpld.core.voting.vote`` becomes that function with its docstring;
- links to files outside docs/ become their names, because the site does not hold those files.
"""

from __future__ import annotations

import html
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

sys.path.insert(0, str(Path(__file__).parent))
import reference

log = logging.getLogger("mkdocs.hooks.tpld")

_FUNCTION = re.compile(r"^::: (\S+)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)(#[^)]*)?\)")
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Fill in what is generated, and turn links that lead out of the site into names."""
    if "<!-- keys -->" in markdown:
        markdown = markdown.replace("<!-- keys -->", reference.configuration_keys())
    if "<!-- commands -->" in markdown:
        markdown = markdown.replace("<!-- commands -->", reference.commands())
    markdown = _FUNCTION.sub(lambda found: reference.function(found[1]), markdown)
    here = Path(config["docs_dir"], page.file.src_uri).parent
    return _LINK.sub(lambda found: _name_of(found, here, Path(config["docs_dir"])), markdown)


def _name_of(found: re.Match[str], here: Path, docs: Path) -> str:
    text, target = found[1], Path(os.path.normpath(here / found[2]))
    if docs in target.parents:
        return found[0]
    if not target.exists():
        log.warning("a link leads to %s, which does not exist", found[2])
    shown = target.relative_to(docs.parent).as_posix() if docs.parent in target.parents else text
    plain = text.replace("\\", "").replace("`", "")
    return f"`{shown}`" if plain in shown else f"{text} (`{shown}`)"


def on_page_content(html_text: str, **_: Any) -> str:
    """Equations as MathML."""
    text = _DISPLAY.sub(lambda found: _mathml(found[1], "block"), html_text)
    return _INLINE.sub(lambda found: _mathml(found[1], "inline"), text)


def _mathml(latex: str, display: str) -> str:
    return convert(html.unescape(latex).strip(), display=display)
