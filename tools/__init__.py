"""Small programs that look after this repository."""
