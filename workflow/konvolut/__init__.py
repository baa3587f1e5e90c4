"""Konvolut: an atlas of what every channel of a CNN looks for. The checkout is the installation."""
