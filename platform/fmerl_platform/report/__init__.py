"""Reports: one document model, written as HTML, Markdown, LaTeX and JSON. It knows no study."""
