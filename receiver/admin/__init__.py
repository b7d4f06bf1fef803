"""The admin role: what people and programs of the enterprise see."""
