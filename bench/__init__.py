"""Measures, each against a floor of the same run. Nothing here is a test: no test asserts a time."""
