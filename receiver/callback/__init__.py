"""recv.asp: the gateway pushes replies here, and reads one number (protocol.md §1)."""
