"""The atlas: stored results (model) become plain views (units, photographs), pages (HTML) and files (write, plates)."""
