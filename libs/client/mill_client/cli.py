"""The mill command."""


def main() -> None:
    """Run the mill command."""
    raise SystemExit(2)
