"""What a service needs, looked at for real. Imports nothing: a probe is asked every few seconds."""
