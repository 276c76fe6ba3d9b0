"""The commands that this plugin brings: `dovetail predict`, `dovetail models`, `dovetail datasets`."""
