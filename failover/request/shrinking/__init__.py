"""The steps in which a prompt is made smaller, each as much or as little as is asked for, and always valid."""
