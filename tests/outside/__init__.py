"""Other people's clients and test suites against our servers, and against theirs to compare."""
