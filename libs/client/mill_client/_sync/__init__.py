"""The blocking SDK, made from `_async` by `python -m tools.unasync`, all but `work.py`. Change that, not this."""
