"""Re-sends lost wake-ups and reaps dead leases."""
