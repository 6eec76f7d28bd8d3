"""Small programs that maintain this repository."""
