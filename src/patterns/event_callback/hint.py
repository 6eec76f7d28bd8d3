"""The one answer that the wait is ever given: it is time to look.

As every event gives the same answer, two events, or one event twice, are the same answer twice.
"""

from patterns import callback_answers

LOOK = callback_answers.success("look")
