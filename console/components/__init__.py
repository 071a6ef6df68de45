"""What several pages are made of: words for figures, tables, the shell, dialogs. Knows the store's reading methods, never DuckDB."""
