"""The stories of the scenarios once more, in real time, on a stack that is deployed."""
