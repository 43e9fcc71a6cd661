"""The SDK for asyncio. `_sync` is made from it by `python -m tools.unasync`."""
