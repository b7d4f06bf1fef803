"""What the receive path is measured against: each a server, started with ``python -m`` and the receiver's settings."""
