"""Measurements of the receiver against what it promises, each a command."""
