"""A page to put tables and pictures on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape


def report_page(title: str, sections: Mapping[str, str], *, lead: str = "", notes: Iterable[str] = ()) -> str:
    """Return a self-contained HTML page.

    Parameters
    ----------
    title : str
        Title of the page, as plain text.
    sections : dict of str to str
        HTML fragments, such as from `separation_html` and `scores_html`, by their headings (plain text).
    lead : str, default=""
        First paragraph, as plain text.
    notes : iterable of str, default=()
        Last paragraphs, as plain text.

    Returns
    -------
    html : str
        The page.

    See Also
    --------
    separation_html, scores_html : What to put on it.

    Examples
    --------
    >>> from sklearn_gass.display import report_page
    >>> page = report_page("A & B", {"Scores": "<p>none</p>"})
    >>> page.startswith("<!DOCTYPE html>"), "<title>A &amp; B</title>" in page
    (True, True)
    """
    opening = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    body = "".join(f"<section><h2>{escape(heading)}</h2>{html}</section>" for heading, html in sections.items())
    closing = "".join(f"<p>{escape(note)}</p>" for note in notes)
    footer = f"<footer>{closing}</footer>" if closing else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head>\n"
        f"<body><main><h1>{escape(title)}</h1>{opening}{body}{footer}</main></body></html>\n"
    )


_CSS = """
:root { color-scheme: light dark; --line: #d8d8de; --soft: #6a6a75; --panel: #f6f6f8; }
@media (prefers-color-scheme: dark) { :root { --line: #3a3a42; --soft: #a0a0ab; --panel: #1d1d22; } }
body { margin: 0; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; }
.lead, footer, caption { color: var(--soft); }
footer { margin-top: 2.5rem; padding-top: .75rem; border-top: 1px solid var(--line); font-size: .85rem; }
section { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .5rem; font-size: .9rem; }
th, td { padding: .4rem .9rem; border-bottom: 1px solid var(--line); text-align: left; }
thead th { font-weight: 600; font-size: .85rem; color: var(--soft); }
thead th, thead td { border-bottom-width: 2px; }
tbody th { font-weight: 600; }
.scores td, .scores thead th { text-align: right; }
.scores tbody tr:hover, .separation tbody tr:hover { background: var(--panel); }
.separation table { width: 100%; }
.separation tr > :nth-child(4) { width: 60%; padding-right: 0; }
@media (max-width: 40rem) {
  main { padding: 1.25rem .9rem; }
  th, td { padding: .4rem .5rem; }
  .separation thead, .separation tr > :nth-child(2), .separation tr > :nth-child(3) { display: none; }
  .separation tr, .separation tr > th, .separation tr > :nth-child(4) { display: block; width: auto; }
  .separation th { border-bottom: 0; padding-bottom: 0; }
}
audio { display: block; width: 100%; min-width: 11rem; height: 2.25rem; }
img { display: block; max-width: 100%; height: auto; margin-top: 1.25rem; border-radius: .4rem; }
"""
