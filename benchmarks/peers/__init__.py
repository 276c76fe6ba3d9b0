"""The same steps in other frameworks, each from the weights and inputs of our build of the case."""
