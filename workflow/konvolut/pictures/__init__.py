"""The engine: pictures that are optimised, and how good they are."""
