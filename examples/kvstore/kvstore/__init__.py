"""A small replicated key-value store over asyncio streams."""
