"""The one kind of failure a user meets: a line saying what is wrong, where, and what to do."""


class CorollaError(Exception):
    """A failure the user can mend.

    The command line prints its text as one line and ends with exit status 2; anything else that
    is raised is a fault of ours and keeps its traceback.
    """
