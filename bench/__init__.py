"""What is timed, always beside a peer or a bare baseline in the same run."""
