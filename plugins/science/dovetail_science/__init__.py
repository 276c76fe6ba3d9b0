"""The namespaces `distributions` and `special`, and MATLAB files, on SciPy; see dovetail.toml for what there is."""
