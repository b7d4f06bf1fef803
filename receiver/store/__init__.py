"""Everything that is stored: tables, connections, and every SQL statement of the product."""
