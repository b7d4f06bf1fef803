"""The gateway's calls as a typed library that stands alone (protocol.md §2 to §7)."""
