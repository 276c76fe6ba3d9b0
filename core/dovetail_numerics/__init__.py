"""Numerical methods on bare NumPy arrays, which know nothing of tensors: the layer below `dovetail`.

``generator`` and ``streams`` are PyTorch's random numbers, draw for draw; ``erf`` and ``gamma`` special functions; ``sums`` sums that stay
accurate; ``windows`` sliding windows and ``taps`` interpolation along an axis; ``blockwise`` loops that stay in the cache; ``line_search``
steps of LBFGS; ``memoryless`` arrays of shape and type alone, which ``modules.xp`` tells from NumPy's and CuPy's. Nothing here imports
`dovetail`.
"""
