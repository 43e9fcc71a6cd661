"""Jobs: asked for, looked at, listed, changed and ended."""
