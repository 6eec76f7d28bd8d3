"""Run work repeatedly, at an interval that depends on the day: a loop that decides in a step."""
