"""To be written."""


def main() -> None:
    """Run the command."""
