"""How the tiny speech model is made: from a synthesiser's voices to a folder that faster-whisper loads."""
