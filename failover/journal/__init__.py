"""A file that remembers what went wrong: "what happened last night?", after the process that knew is gone."""
