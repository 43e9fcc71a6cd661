"""Speech to text with faster-whisper."""
