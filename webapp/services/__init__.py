"""The use cases: one module per capability, verbs inside. They take a session and values, flush, and never commit."""
