"""The course: one folder for each assignment, in the order of course.toml."""
