"""The policies that choose a run's course. Each looks at one thing, and answers None where it has nothing to say."""
