"""What is read after a run: one page for engineers, and files for the machines of others.

``reports.page`` writes the page; ``reports.junit``, ``reports.github`` and ``reports.perfetto`` turn the
same ``reports.material`` into what continuous integration and trace viewers read.
"""
