"""The report of an ablation study: one analysis, then terminal, Markdown, LaTeX and HTML from it."""
