"""The admin role: what people and programs of the enterprise see. For now a status page."""
