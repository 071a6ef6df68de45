"""The business as data: schema, loader and the default `quote_to_cash.yaml`."""
