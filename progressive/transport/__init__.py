"""The asyncio edge: what carries datagrams, behind one small interface, and the pump that runs a session over it."""
