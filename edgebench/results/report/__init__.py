"""Reports for people: one self-contained HTML file, and a short Markdown of the same."""
