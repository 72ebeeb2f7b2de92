"""What an instructor uses: checks, sandbox, diagnosis, results, certification."""

from minidl.grading.grade import grade

__all__ = ["grade"]
