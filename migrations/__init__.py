"""The schema's history: numbered steps, each reversible (run by ``receiver db``)."""
